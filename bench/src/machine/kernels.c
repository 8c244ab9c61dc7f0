/* The two loops by which the machine's native peaks are measured, with the program around them: kernels.wat, worker.ts and
 * measure.ts over again, for vectors as wide as the processor's. Prints the peaks over as many threads as its argument
 * says as one line of JSON. Leans on GNU C's vector extensions, C11's atomics and POSIX threads.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The tile fills the registers: its sums, one row of B, and the number of A that multiplies it. COLUMNS counts vectors. */
#if defined(__AVX512F__)
#define INSTRUCTIONS "AVX-512"
#define LANES 16
#define ROWS 14
#define COLUMNS 2
#elif defined(__AVX2__)
#define INSTRUCTIONS "AVX2"
#define LANES 8
#define ROWS 6
#define COLUMNS 2
#elif defined(__aarch64__)
#define INSTRUCTIONS "NEON"
#define LANES 4
#define ROWS 8
#define COLUMNS 3
#else
#define INSTRUCTIONS "128 bits"
#define LANES 4
#define ROWS 4
#define COLUMNS 2
#endif

/* Columns of the panel A and rows of the panel B: 46 KiB of both at most, 32 of B, which the first-level cache holds or the
 * second-level one brings in unnoticed. Half the depth would be a hundredth slower.
 */
#define DEPTH 256
/* Floats of each of the two regions that are copied between: 64 MiB, far more than caches hold. */
#define REGION (1 << 24)
#define LINE 16

/* Tiles and copies in one repeat of a thread, each about ten milliseconds' worth. */
#define TILES_PER_REPEAT (100000000 / (2 * ROWS * COLUMNS * DEPTH))
#define COPIES_PER_REPEAT 4
#define REPEATS 15
/* Milliseconds of running unmeasured: until the clock is up, and each page was touched. */
#define WARM_UP 150

typedef float vfloat __attribute__((vector_size(4 * LANES)));

#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__)
#define FUSED true
#define MULTIPLY_ADD(a, b, c) __builtin_fmaf(a, b, c)
#else
#define FUSED false
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

/* Nothing that is stored here may be left out for being stored again, or for never being read. */
#define KEEP(memory) __asm__ volatile("" : : "r"(memory) : "memory")

#define EACH_OF_TILE                                                                                                   \
  _Pragma("GCC unroll 16") for (int row = 0; row < ROWS; row++)                                                        \
      _Pragma("GCC unroll 16") for (int column = 0; column < COLUMNS; column++)

static inline vfloat multiply_add(float a, vfloat b, vfloat c) {
  vfloat sum;
  for (int lane = 0; lane < LANES; lane++) sum[lane] = MULTIPLY_ADD(a, b[lane], c[lane]);
  return sum;
}

/* C = A B, as in the micro-kernel of a matrix product (Van Zee and van de Geijn, "BLIS", 2015). */
typedef struct {
  _Alignas(64) float a[DEPTH][ROWS];
  _Alignas(64) vfloat b[DEPTH][COLUMNS];
  _Alignas(64) vfloat c[ROWS][COLUMNS];
} Panels;

/* The whole tile, so many times. Only loops that are unrolled whole leave the sums in registers. */
__attribute__((noinline)) static void multiply(Panels *panels, int times) {
  for (int time = 0; time < times; time++) {
    vfloat sums[ROWS][COLUMNS];
    EACH_OF_TILE sums[row][column] = (vfloat){0};
    for (int k = 0; k < DEPTH; k++)
      EACH_OF_TILE sums[row][column] = multiply_add(panels->a[k][row], panels->b[k][column], sums[row][column]);
    EACH_OF_TILE panels->c[row][column] = sums[row][column];
    KEEP(panels);
  }
}

/* Whole cache lines, so many times. A loop, and kept one: a library's copy would store past the caches. */
__attribute__((noinline)) static void copy(const float *from, float *to, size_t floats, int times) {
  for (int time = 0; time < times; time++)
    for (size_t line = 0; line < floats; line += LINE) {
      for (int at = 0; at < LINE; at += LANES) *(vfloat *)(to + line + at) = *(const vfloat *)(from + line + at);
      KEEP(to);
    }
}

typedef struct {
  double start, end;
} Interval;

/* What is one thread's own: its slice of the regions, and when each of its repeats began and ended. */
typedef struct {
  pthread_t id;
  Panels panels;
  float *from, *to;
  size_t floats;
  Interval multiplied[REPEATS], copied[REPEATS];
  bool correct;
} Thread;

static _Alignas(64) float source[REGION], target[REGION];
static int threads;
static atomic_int arrived, meetings;

/* Returns when every thread is here. */
static void meet(void) {
  int before = atomic_load(&meetings);
  if (atomic_fetch_add(&arrived, 1) == threads - 1) {
    atomic_store(&arrived, 0);
    atomic_fetch_add(&meetings, 1);
  } else {
    while (atomic_load(&meetings) == before) sched_yield();
  }
}

/* In milliseconds. */
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

static void multiply_own(Thread *own, int times) { multiply(&own->panels, times); }
static void copy_own(Thread *own, int times) { copy(own->from, own->to, own->floats, times); }

/* `work` does its task so many times. */
static void measure(Thread *own, void work(Thread *, int), int per_repeat, int to_warm_up, Interval *intervals) {
  for (double start = now(); now() - start < WARM_UP;) work(own, to_warm_up);
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    meet();
    intervals[repeat].start = now();
    work(own, per_repeat);
    intervals[repeat].end = now();
  }
}

/* Every sum of the tile is another one, and exact. */
static float factor(int index) { return 0.5f * (float)(index + 1); }

static void fill(Thread *own) {
  for (int k = 0; k < DEPTH; k++) {
    for (int row = 0; row < ROWS; row++) own->panels.a[k][row] = factor(row);
    for (int column = 0; column < COLUMNS * LANES; column++) own->panels.b[k][column / LANES][column % LANES] = factor(column);
  }
  /* A page that nobody has written to is the one page of zeros that a cache holds. */
  for (size_t at = 0; at < own->floats; at++) own->from[at] = (float)(at % 1000);
}

static bool is_correct(const Thread *own) {
  for (int row = 0; row < ROWS; row++)
    for (int column = 0; column < COLUMNS * LANES; column++)
      if (own->panels.c[row][column / LANES][column % LANES] != DEPTH * factor(row) * factor(column)) return false;
  return memcmp(own->from, own->to, own->floats * sizeof(float)) == 0;
}

static void *run(void *argument) {
  Thread *own = argument;
  fill(own);
  measure(own, multiply_own, TILES_PER_REPEAT, 500, own->multiplied);
  measure(own, copy_own, COPIES_PER_REPEAT, 1, own->copied);
  own->correct = is_correct(own);
  return NULL;
}

/* The best repeat's milliseconds; a repeat lasts from its first thread's start to its last one's end. */
static double best_repeat(const Thread *all, const Interval *(*intervals_of)(const Thread *)) {
  double best = 1e300;
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    double start = 1e300, end = 0;
    for (int thread = 0; thread < threads; thread++) {
      Interval interval = intervals_of(&all[thread])[repeat];
      if (interval.start < start) start = interval.start;
      if (interval.end > end) end = interval.end;
    }
    if (end - start < best) best = end - start;
  }
  return best;
}
static const Interval *multiplied(const Thread *thread) { return thread->multiplied; }
static const Interval *copied(const Thread *thread) { return thread->copied; }

static int fail(const char *reason) {
  fprintf(stderr, "error: %s\n", reason);
  return 1;
}

int main(int count, char **arguments) {
  threads = count == 2 ? atoi(arguments[1]) : 0;
  if (threads < 1) return fail("the one argument is the number of threads");
  Thread *all = aligned_alloc(64, (size_t)threads * sizeof(Thread));
  if (all == NULL) return fail("there is no memory for so many threads");

  size_t slice = REGION / (size_t)threads / LINE * LINE;
  for (int thread = 0; thread < threads; thread++) {
    size_t start = (size_t)thread * slice;
    all[thread].from = source + start;
    all[thread].to = target + start;
    all[thread].floats = slice;
    if (pthread_create(&all[thread].id, NULL, run, &all[thread]) != 0) return fail("a thread could not be started");
  }
  for (int thread = 0; thread < threads; thread++) pthread_join(all[thread].id, NULL);
  for (int thread = 0; thread < threads; thread++)
    if (!all[thread].correct) return fail("the kernels computed something else than they should");

  double flops = 2.0 * ROWS * COLUMNS * LANES * DEPTH * TILES_PER_REPEAT * threads;
  double bytes = 2.0 * sizeof(float) * (double)slice * COPIES_PER_REPEAT * threads;
  printf("{\"gflops\":%.6g,\"gbs\":%.6g,\"threads\":%d,\"fused\":%s,\"tile\":\"%s %dx%d\"}\n",
         flops / best_repeat(all, multiplied) / 1e6, bytes / best_repeat(all, copied) / 1e6, threads,
         FUSED ? "true" : "false", INSTRUCTIONS, ROWS, COLUMNS * LANES);
  return 0;
}
