/* The vocabulary of emitted code: vectors of LANES numbers, which the emitter defines, and what the loop IR does with
 * them. GNU C's vector extensions say all of it, for every width and processor; loops over lanes become single
 * instructions. Nothing here rounds differently from machine to machine but the fused multiply-add, where there is none.
 */

typedef float vfloat __attribute__((vector_size(4 * LANES)));
typedef int32_t vint __attribute__((vector_size(4 * LANES)));
typedef uint32_t vuint __attribute__((vector_size(4 * LANES)));
typedef uint8_t vbyte __attribute__((vector_size(LANES)));

/* The same where they lie in memory: at any address of an element. */
typedef vfloat vfloat_at __attribute__((aligned(4), may_alias));
typedef vint vint_at __attribute__((aligned(4), may_alias));
typedef vbyte vbyte_at __attribute__((aligned(1), may_alias));

#define EACH_LANE(expression)                                                                                          \
  do {                                                                                                                 \
    for (int lane = 0; lane < LANES; lane++) result[lane] = (expression);                                              \
  } while (0)

/* Stands in every loop around another one. It emits nothing and keeps compilers from making vectors of the outer loop's
 * iterations: gcc 12.2 makes wrong ones where the inner loop is short and runs backwards through memory. Inner loops that
 * have no vectors may be given some.
 */
#define AS_WRITTEN __asm__ volatile("")

#define INLINE static inline __attribute__((always_inline, unused))

/* Memory. A boolean vector is a mask: every lane 0 or -1. */

INLINE vfloat load_float32(const float *from) { return *(const vfloat_at *)from; }
INLINE vint load_int32(const int32_t *from) { return *(const vint_at *)from; }
INLINE vint load_uint8(const uint8_t *from) { return __builtin_convertvector(*(const vbyte_at *)from, vint); }
INLINE vint load_bool(const uint8_t *from) { return load_uint8(from) != 0; }

INLINE void store_float32(float *to, vfloat x) { *(vfloat_at *)to = x; }
INLINE void store_int32(int32_t *to, vint x) { *(vint_at *)to = x; }
INLINE void store_uint8(uint8_t *to, vint x) { *(vbyte_at *)to = __builtin_convertvector(x, vbyte); }
INLINE void store_bool(uint8_t *to, vint x) { store_uint8(to, x & 1); }

/* Of the first `count` lanes. */
#if defined(__AVX512F__) && LANES == 16 && !defined(__clang__)
INLINE uint16_t first_lanes(int32_t count) {
  return (uint16_t)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1);
}
INLINE void store_some_float32(float *to, vfloat x, int32_t count) {
  __builtin_ia32_storeups512_mask(to, x, first_lanes(count));
}
INLINE void store_some_int32(int32_t *to, vint x, int32_t count) {
  __builtin_ia32_storedqusi512_mask(to, x, first_lanes(count));
}
#else
INLINE void store_some_float32(float *to, vfloat x, int32_t count) {
  for (int lane = 0; lane < LANES && lane < count; lane++) to[lane] = x[lane];
}
INLINE void store_some_int32(int32_t *to, vint x, int32_t count) {
  for (int lane = 0; lane < LANES && lane < count; lane++) to[lane] = x[lane];
}
#endif
INLINE void store_some_uint8(uint8_t *to, vint x, int32_t count) {
  for (int lane = 0; lane < LANES && lane < count; lane++) to[lane] = (uint8_t)x[lane];
}
INLINE void store_some_bool(uint8_t *to, vint x, int32_t count) { store_some_uint8(to, x & 1, count); }

/* Every lane at an index of its own: loads, of those lanes where a mask holds and 0 elsewhere, and stores of the first
 * `count` lanes. */
#define GATHERS(dtype, element, vector, taken)                                                                         \
  INLINE vector gather_##dtype(const element *from, vint at) {                                                         \
    vector result;                                                                                                     \
    EACH_LANE(taken(from[(uint32_t)at[lane]]));                                                                        \
    return result;                                                                                                     \
  }                                                                                                                    \
  INLINE vector gather_where_##dtype(const element *from, vint at, vint mask) {                                        \
    vector result;                                                                                                     \
    EACH_LANE(mask[lane] ? taken(from[(uint32_t)at[lane]]) : 0);                                                       \
    return result;                                                                                                     \
  }                                                                                                                    \
  INLINE void scatter_##dtype(element *to, vint at, vector x, int32_t count) {                                         \
    for (int lane = 0; lane < LANES; lane++)                                                                           \
      if (lane < count) to[(uint32_t)at[lane]] = (element)x[lane];                                                     \
  }
#define AS_IT_IS(x) (x)
#define AS_MASK(x) (-(int32_t)(x))
#if defined(__AVX512F__) && LANES == 16 && !defined(__clang__)
INLINE vfloat gather_where_float32(const float *from, vint at, vint mask) {
  return __builtin_ia32_gathersiv16sf((vfloat){0}, from, at, (uint16_t)__builtin_ia32_ptestmd512(mask, mask, 0xffff), 4);
}
INLINE vfloat gather_float32(const float *from, vint at) {
  return __builtin_ia32_gathersiv16sf((vfloat){0}, from, at, 0xffff, 4);
}
INLINE vint gather_where_int32(const int32_t *from, vint at, vint mask) {
  return __builtin_ia32_gathersiv16si((vint){0}, from, at, (uint16_t)__builtin_ia32_ptestmd512(mask, mask, 0xffff), 4);
}
INLINE vint gather_int32(const int32_t *from, vint at) {
  return __builtin_ia32_gathersiv16si((vint){0}, from, at, 0xffff, 4);
}
INLINE void scatter_float32(float *to, vint at, vfloat x, int32_t count) {
  __builtin_ia32_scattersiv16sf(to, first_lanes(count), at, x, 4);
}
INLINE void scatter_int32(int32_t *to, vint at, vint x, int32_t count) {
  __builtin_ia32_scattersiv16si(to, first_lanes(count), at, x, 4);
}
#else
GATHERS(float32, float, vfloat, AS_IT_IS)
GATHERS(int32, int32_t, vint, AS_IT_IS)
#endif
GATHERS(uint8, uint8_t, vint, AS_IT_IS)
GATHERS(mask, uint8_t, vint, AS_MASK)
INLINE vint gather_bool(const uint8_t *from, vint at) { return gather_mask(from, at); }
INLINE vint gather_where_bool(const uint8_t *from, vint at, vint mask) { return gather_where_mask(from, at, mask); }
INLINE void scatter_bool(uint8_t *to, vint at, vint x, int32_t count) { scatter_uint8(to, at, x & 1, count); }

/* Making and choosing. */

INLINE vfloat splat_float(float x) { return x - (vfloat){0}; }
INLINE vint splat_int(int32_t x) { return x - (vint){0}; }
INLINE vint splat_mask(int32_t x) { return splat_int(-x); }

INLINE vfloat select_vfloat(vint mask, vfloat a, vfloat b) { return (vfloat)((mask & (vint)a) | (~mask & (vint)b)); }
INLINE vint select_vint(vint mask, vint a, vint b) { return (mask & a) | (~mask & b); }

INLINE vint bits_vfloat(vfloat x) { return (vint)x; }
INLINE vfloat float_vint(vint x) { return (vfloat)x; }
INLINE int32_t bits_float(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
}
INLINE float float_int(int32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

/* Lanes of two vectors, by constant numbers. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vint){__VA_ARGS__})
#endif

/* Multiply-add: rounded once where the processor can. A single number comes out as it does in a vector. */
#if defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMAF)
INLINE vfloat fma_vfloat(vfloat a, vfloat b, vfloat c) {
  vfloat result;
  EACH_LANE(__builtin_fmaf(a[lane], b[lane], c[lane]));
  return result;
}
INLINE float fma_float(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
INLINE vfloat fma_vfloat(vfloat a, vfloat b, vfloat c) { return a * b + c; }
INLINE float fma_float(float a, float b, float c) { return a * b + c; }
#endif

/* Functions of one number. */
#define OF_LANES(name, function)                                                                                       \
  INLINE vfloat name(vfloat x) {                                                                                       \
    vfloat result;                                                                                                     \
    EACH_LANE(function(x[lane]));                                                                                      \
    return result;                                                                                                     \
  }
OF_LANES(sqrt_vfloat, __builtin_sqrtf)
OF_LANES(floor_vfloat, __builtin_floorf)
OF_LANES(ceil_vfloat, __builtin_ceilf)
OF_LANES(trunc_vfloat, __builtin_truncf)
OF_LANES(nearest_vfloat, __builtin_rintf)
INLINE vfloat abs_vfloat(vfloat x) { return (vfloat)((vint)x & 0x7fffffff); }
INLINE vint abs_vint(vint x) { return select_vint(x < 0, -x, x); }
INLINE int32_t abs_int(int32_t x) { return x < 0 ? -x : x; }

/* Extrema. Those that let a NaN of either operand through, and those that keep a NaN of the first. */
INLINE vfloat max_vfloat(vfloat a, vfloat b) { return select_vfloat((a > b) | (a != a), a, b); }
INLINE vfloat min_vfloat(vfloat a, vfloat b) { return select_vfloat((a < b) | (a != a), a, b); }
INLINE float max_float(float a, float b) { return a > b || a != a ? a : b; }
INLINE float min_float(float a, float b) { return a < b || a != a ? a : b; }
INLINE double max_double(double a, double b) { return a > b || a != a ? a : b; }
INLINE double min_double(double a, double b) { return a < b || a != a ? a : b; }
INLINE vint max_vint(vint a, vint b) { return select_vint(a > b, a, b); }
INLINE vint min_vint(vint a, vint b) { return select_vint(a < b, a, b); }
INLINE int32_t max_int(int32_t a, int32_t b) { return a > b ? a : b; }
INLINE int32_t min_int(int32_t a, int32_t b) { return a < b ? a : b; }
INLINE vfloat at_least_vfloat(vfloat x, vfloat limit) { return select_vfloat(x < limit, limit, x); }
INLINE vfloat at_most_vfloat(vfloat x, vfloat limit) { return select_vfloat(limit < x, limit, x); }
INLINE float at_least_float(float x, float limit) { return x < limit ? limit : x; }
INLINE float at_most_float(float x, float limit) { return limit < x ? limit : x; }
INLINE double at_least_double(double x, double limit) { return x < limit ? limit : x; }
INLINE double at_most_double(double x, double limit) { return limit < x ? limit : x; }

/* Integers: the high word of the unsigned product. */
INLINE int32_t multiply_high_int(int32_t a, int32_t b) { return (int32_t)((uint64_t)(uint32_t)a * (uint32_t)b >> 32); }
INLINE vint multiply_high_vint(vint a, vint b) {
  vint result;
  EACH_LANE(multiply_high_int(a[lane], b[lane]));
  return result;
}

/* Quotients of integers, which wrap around, and remainders. By -1 the processor's own ends the process for one dividend. */
INLINE int32_t divide_int(int32_t a, int32_t b) { return b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b; }
INLINE int32_t remainder_int(int32_t a, int32_t b) { return b == -1 ? 0 : a % b; }
INLINE vint divide_vint(vint a, vint b) {
  vint minus = b == -1;
  return select_vint(minus, -a, a / select_vint(minus, splat_int(1), b));
}
INLINE vint remainder_vint(vint a, vint b) { return a % select_vint(b == -1, splat_int(1), b); }

/* Conversion to integers saturates, and NaN becomes 0. */
INLINE int32_t int_float(float x) {
  return x >= 0x1p31f ? INT32_MAX : x < -0x1p31f ? INT32_MIN : x != x ? 0 : (int32_t)x;
}
INLINE int32_t int_double(double x) {
  return x >= 0x1p31 ? INT32_MAX : x <= -0x1p31 ? INT32_MIN : x != x ? 0 : (int32_t)x;
}
INLINE vint int_vfloat(vfloat x) {
  vfloat bounded = select_vfloat((x >= -0x1p31f) & (x < 0x1p31f), x, (vfloat){0});
  vint outside = ((x < -0x1p31f) & INT32_MIN) | ((x >= 0x1p31f) & INT32_MAX);
  return __builtin_convertvector(bounded, vint) | outside;
}
INLINE vfloat float_of_vint(vint x) { return __builtin_convertvector(x, vfloat); }

/* An index, or the end of the program. */
INLINE int32_t checked_int(const struct gradus_call *call, int32_t index, int32_t limit) {
  if (__builtin_expect((uint32_t)index >= (uint32_t)limit, 0)) call->fault(call);
  return index;
}
INLINE vint checked_vint(const struct gradus_call *call, vint index, int32_t limit) {
  for (int lane = 0; lane < LANES; lane++) checked_int(call, index[lane], limit);
  return index;
}

/* A loop that threads share. Of n steps thread t of T has those from n t / T to n (t + 1) / T, which it takes in a few
 * pieces. Who is done takes pieces of others: a thread that the system has set aside holds nobody up for long. */
struct shared_loop {
  struct gradus_claim *claims;
  int64_t start, steps;
  int32_t end, step, thread, threads, helped;
};
enum { pieces_of_a_part = 4 };

INLINE struct shared_loop share(const struct gradus_call *call, int32_t loop, int32_t start, int32_t end, int32_t step) {
  int64_t steps = ((int64_t)end - start + step - 1) / step;
  return (struct shared_loop){
    .claims = call->claims + (int64_t)loop * call->threads,
    .start = start,
    .steps = steps < 0 ? 0 : steps,
    .end = end,
    .step = step,
    .thread = call->thread,
    .threads = call->threads,
  };
}

/* Whether there is a piece left, and where it begins and ends. */
INLINE int next_piece(struct shared_loop *loop, int32_t *from, int32_t *to) {
  for (; loop->helped < loop->threads; loop->helped++) {
    int32_t owner = (loop->thread + loop->helped) % loop->threads;
    int64_t first = loop->steps * owner / loop->threads;
    int64_t count = loop->steps * (owner + 1) / loop->threads - first;
    int64_t pieces = loop->threads == 1 ? 1 : pieces_of_a_part;
    if (pieces > count) pieces = count;
    if (pieces == 0) continue;
    int64_t piece = loop->helped; /* alone there is one piece, and it is taken after the first look */
    if (loop->threads > 1) piece = __atomic_fetch_add(&loop->claims[owner].taken, 1, __ATOMIC_RELAXED);
    else loop->helped++;
    if (piece >= pieces) continue;
    int64_t last = loop->start + (first + count * (piece + 1) / pieces) * loop->step;
    *from = (int32_t)(loop->start + (first + count * piece / pieces) * loop->step);
    *to = last < loop->end ? (int32_t)last : loop->end;
    return 1;
  }
  return 0;
}
