"""From what is known of the noise to losses and parameters that tolerate it."""
