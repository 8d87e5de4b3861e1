// The wide part of fused.py for rows of logits in memory, in two passes: sums over a row, then its gradient. What is said of a
// row or a label is computed in Python, so no loss is written here but the bases of the normalised ones, as in terms.py.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace {

template <class T> struct Bits;
template <> struct Bits<float> {
  using Int = int32_t;
  static constexpr int shift = 23, bias = 127, degree = 7;
  static constexpr float least = -104.0f, upper = 0.693145751953125f, lower = 1.428606765330187e-6f;
};
template <> struct Bits<double> {
  using Int = int64_t;
  static constexpr int shift = 52, bias = 1023, degree = 13;
  static constexpr double least = -746.0, upper = 0.693147180369123816490, lower = 1.90821492927058770002e-10;
};

template <class T> inline T power_of_two(typename Bits<T>::Int n) {
  const typename Bits<T>::Int bits = (n + Bits<T>::bias) << Bits<T>::shift;
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

constexpr double factorial[] = {1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600, 6227020800};

// e^x for x <= 0 to a few units in the last place, subnormal results and NaN included
template <class T> inline T exponential(T x) {
  using Int = typename Bits<T>::Int;
  x = x < Bits<T>::least ? Bits<T>::least : x;
  const T whole = x * T(1.4426950408889634074) - T(0.5);
  const Int n = static_cast<Int>(whole);  // towards 0, which rounds to the nearest: whole <= 0
  const T r = (x - T(n) * Bits<T>::upper) - T(n) * Bits<T>::lower;
  T sum = T(1 / factorial[Bits<T>::degree]);
  for (int k = Bits<T>::degree - 1; k >= 0; --k) sum = sum * r + T(1 / factorial[k]);
  const Int half = n / 2;
  return sum * power_of_two<T>(half) * power_of_two<T>(n - half);
}

constexpr int64_t part = 1024;  // elements whose sum is of the type of the logits; their sums are doubles

enum Base { none, focal_half, focal_one, focal_two, power };

// A base of a normalised loss with a minus, as a function of log u, and its slope in log u
template <class T, int base>
inline void base_at(T logu, T u, T q, bool detach, T& height, T& slope) {
  if constexpr (base == power) {
    const T raised = exponential(logu * q);
    height = (raised - T(1)) / q;
    slope = raised;
  } else if constexpr (base != none) {
    const T rest = (T(1) + std::numeric_limits<T>::epsilon()) - u;
    const T factor = base == focal_half ? std::sqrt(rest) : base == focal_one ? rest : rest * rest;
    const T gamma = detach ? T(0) : base == focal_half ? T(0.5) : base == focal_one ? T(1) : T(2);
    height = factor * logu;
    slope = factor - gamma * u * height / rest;
  } else {
    height = logu;
    slope = T(1);
  }
}

template <class T, int base>
void read(const T* z, int64_t stride, T* u, T* sums, int64_t n, int64_t K, T top, T q, int flags, int threads) {
  const bool heights = flags & 1, above = flags & 2, detach = flags & 4;
#pragma omp parallel for num_threads(threads) if (threads > 1)
  for (int64_t i = 0; i < n; ++i) {
    const T* row = z + i * stride;
    T* out = u + i * K;
    T most = row[0];
#pragma omp simd reduction(max : most)
    for (int64_t j = 0; j < K; ++j) most = row[j] > most ? row[j] : most;
    double mass = 0, whole = 0;
    for (int64_t start = 0; start < K; start += part) {
      const int64_t stop = start + part < K ? start + part : K;
      T some = 0, more = 0;
#pragma omp simd reduction(+ : some, more)
      for (int64_t j = start; j < stop; ++j) {
        const T e = exponential(row[j] - most);
        out[j] = e;
        some += e;
        more += e * e;
      }
      mass += some, whole += more;
    }
    const T total = most + T(std::log(mass)), scale = T(1 / mass);
    double height = 0, slope = 0, over = 0, steep = 0;
    for (int64_t start = 0; start < K && (heights || above); start += part) {
      const int64_t stop = start + part < K ? start + part : K;
      T some = 0, more = 0, some_over = 0, more_over = 0;
#pragma omp simd reduction(+ : some, more, some_over, more_over)
      for (int64_t j = start; j < stop; ++j) {
        T h, s;
        base_at<T, base>(row[j] - total, out[j] * scale, q, detach, h, s);
        const T counts = h + top > T(0) ? T(1) : T(0);
        some += h;
        more += s;
        some_over += counts * (h + top);
        more_over += counts * s;
      }
      height += some, slope += more, over += some_over, steep += more_over;
    }
    T* told = sums + i * 7;
    told[0] = total, told[1] = scale, told[2] = T(whole) * scale * scale;
    told[3] = T(height), told[4] = T(slope), told[5] = T(over), told[6] = T(steep);
  }
}

// u (n, K), e^(z - most), becomes factor * (u (square u + inner) - (ratio + [h + top > 0] negative) slope), and at the label + own
template <class T, int base>
void write(const T* z, int64_t stride, T* u, const T* sums, const T* given, const int64_t* labels, int64_t n, int64_t K, T top,
           T q, int flags, int threads) {
  const bool heights = flags & 1, above = flags & 2, detach = flags & 4;
#pragma omp parallel for num_threads(threads) if (threads > 1)
  for (int64_t i = 0; i < n; ++i) {
    const T* row = z + i * stride;
    const T* own = given + i * 6;
    T* out = u + i * K;
    const T total = sums[i * 7], scale = sums[i * 7 + 1];
    const T square = own[0], inner = own[1], ratio = own[2], negative = own[3], factor = own[5];
    const T cut = above ? negative : T(0);
    if (base == none && !above) {
      const T constant = heights ? ratio : T(0);
#pragma omp simd
      for (int64_t j = 0; j < K; ++j) {
        const T p = out[j] * scale;
        out[j] = factor * (p * (square * p + inner) - constant);
      }
    } else {
#pragma omp simd
      for (int64_t j = 0; j < K; ++j) {
        const T p = out[j] * scale;
        T h, s;
        base_at<T, base>(row[j] - total, p, q, detach, h, s);
        const T common = ratio + (h + top > T(0) ? cut : T(0));
        out[j] = factor * (p * (square * p + inner) - common * s);
      }
    }
    out[labels[i]] += factor * own[4];
  }
}

template <class T>
void read_any(const T* z, int64_t stride, T* u, T* sums, int64_t n, int64_t K, T top, T q, int base, int flags, int threads) {
  const auto call = base == focal_half  ? read<T, focal_half>
                    : base == focal_one ? read<T, focal_one>
                    : base == focal_two ? read<T, focal_two>
                    : base == power     ? read<T, power>
                                        : read<T, none>;
  call(z, stride, u, sums, n, K, top, q, flags, threads);
}

template <class T>
void write_any(const T* z, int64_t stride, T* u, const T* sums, const T* given, const int64_t* labels, int64_t n, int64_t K,
               T top, T q, int base, int flags, int threads) {
  const auto call = base == focal_half  ? write<T, focal_half>
                    : base == focal_one ? write<T, focal_one>
                    : base == focal_two ? write<T, focal_two>
                    : base == power     ? write<T, power>
                                        : write<T, none>;
  call(z, stride, u, sums, given, labels, n, K, top, q, flags, threads);
}

}  // namespace

extern "C" {

void read_float(const float* z, int64_t stride, float* u, float* sums, int64_t n, int64_t K, double top, double q, int base,
                int flags, int threads) {
  read_any<float>(z, stride, u, sums, n, K, top, q, base, flags, threads);
}

void read_double(const double* z, int64_t stride, double* u, double* sums, int64_t n, int64_t K, double top, double q, int base,
                 int flags, int threads) {
  read_any<double>(z, stride, u, sums, n, K, top, q, base, flags, threads);
}

void write_float(const float* z, int64_t stride, float* u, const float* sums, const float* given, const int64_t* labels,
                 int64_t n, int64_t K, double top, double q, int base, int flags, int threads) {
  write_any<float>(z, stride, u, sums, given, labels, n, K, top, q, base, flags, threads);
}

void write_double(const double* z, int64_t stride, double* u, const double* sums, const double* given, const int64_t* labels,
                  int64_t n, int64_t K, double top, double q, int base, int flags, int threads) {
  write_any<double>(z, stride, u, sums, given, labels, n, K, top, q, base, flags, threads);
}

}  // extern "C"
