/* Runs programs of native code: a table of steps, each a function that every thread calls for its share, with barriers
 * between them. A pool of threads goes through a whole program in one foreign call. Leans on C11, POSIX threads and, on
 * Linux, futexes.
 *
 * Threads wait in one way only: at a gate, for its number to change. They look at it for some tens of microseconds, which
 * is longer than most waits within a program and between two of them, and then sleep. The barrier counts arrivals and
 * opens a gate: the centralized barrier of Mellor-Crummey and Scott, "Algorithms for scalable synchronization on
 * shared-memory multiprocessors" (1991), section 3.1, with a generation in place of the sense.
 */

#define _GNU_SOURCE /* thread names, RTLD_NODELETE, sched_getaffinity */
#define _DARWIN_C_SOURCE
#include "abi.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__) && !defined(GRADUS_NO_FUTEX)
#define GRADUS_FUTEX 1
#include <sys/syscall.h>
#else
#define GRADUS_FUTEX 0
#endif

#define EXPORT __attribute__((visibility("default")))

enum {
  line = 128, /* bytes: the cache line of Apple's processors, two of the others', which are fetched in pairs */
  most_threads = 1024,
  stack_bytes = 8 << 20,
  patient = 50000,  /* nanoseconds of looking before sleeping: a few times what it takes to wake a thread */
  impatient = 1000, /* the same where threads outnumber cores, and who looks may keep another from its work */
  looks = 64,       /* between two looks at the clock: about a microsecond */
};

/* ------------------------------------------------------------------------------------------------------------------ */
/* Errors. */

static _Thread_local char error_text[512];

static void set_error(const char *what, const char *why) {
  snprintf(error_text, sizeof error_text, "%s: %s", what, why);
}

/* Why the calling thread's last call of a function of this library failed. */
EXPORT const char *gradus_error(void) { return error_text; }

/* ------------------------------------------------------------------------------------------------------------------ */
/* Gates. */

struct gate {
  _Atomic uint32_t number;   /* changes when the gate opens */
  _Atomic uint32_t sleepers; /* with none, opening takes no system call */
#if !GRADUS_FUTEX
  pthread_mutex_t mutex;
  pthread_cond_t opened;
#endif
};

#if GRADUS_FUTEX

/* From the kernel's headers, which are not everywhere: operations on futexes that no other process shares. */
enum { futex_wait = 128, futex_wake = 129 };

static void gate_create(struct gate *gate) { (void)gate; }

static void gate_destroy(struct gate *gate) { (void)gate; }

static void sleep_while(struct gate *gate, uint32_t number) {
  while (atomic_load(&gate->number) == number)
    syscall(SYS_futex, (uint32_t *)&gate->number, futex_wait, number, NULL, NULL, 0);
}

static void wake_all(struct gate *gate) {
  syscall(SYS_futex, (uint32_t *)&gate->number, futex_wake, INT_MAX, NULL, NULL, 0);
}

#else

static void gate_create(struct gate *gate) {
  pthread_mutex_init(&gate->mutex, NULL); /* neither fails where it allocates nothing, which is everywhere by now */
  pthread_cond_init(&gate->opened, NULL);
}

static void gate_destroy(struct gate *gate) {
  pthread_cond_destroy(&gate->opened);
  pthread_mutex_destroy(&gate->mutex);
}

static void sleep_while(struct gate *gate, uint32_t number) {
  pthread_mutex_lock(&gate->mutex);
  while (atomic_load(&gate->number) == number) pthread_cond_wait(&gate->opened, &gate->mutex);
  pthread_mutex_unlock(&gate->mutex);
}

static void wake_all(struct gate *gate) {
  pthread_mutex_lock(&gate->mutex); /* whoever saw the old number is asleep once this is had */
  pthread_cond_broadcast(&gate->opened);
  pthread_mutex_unlock(&gate->mutex);
}

#endif

/* Lets other hardware threads of the core work, and saves power. */
static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb"); /* "yield" does nothing on most of these processors */
#elif defined(__arm__)
  __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Returns when the gate's number is no longer `number`. What was written before it opened is then seen. */
static void await_gate(struct gate *gate, uint32_t number, int64_t patience) {
  for (int64_t end = 0;;) {
    for (int look = 0; look < looks; look++) {
      if (atomic_load_explicit(&gate->number, memory_order_acquire) != number) return;
      relax();
    }
    const int64_t now = nanoseconds();
    if (end == 0) end = now + patience;
    if (now >= end) break;
  }
  /* In one order for all: either the opener sees the sleeper, or the sleeper sees the new number. */
  atomic_fetch_add(&gate->sleepers, 1);
  sleep_while(gate, number);
  atomic_fetch_sub(&gate->sleepers, 1);
}

static void open_gate(struct gate *gate) {
  atomic_fetch_add(&gate->number, 1);
  if (atomic_load(&gate->sleepers) != 0) wake_all(gate);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Programs. */

struct step {
  gradus_function *function;
  const struct gradus_place *places;
  int32_t barrier; /* whether all threads meet before it */
  int32_t loops;   /* shared loops of the steps before it */
};

struct program {
  int32_t count;
  int32_t bases; /* that its places refer to */
  int32_t loops; /* that threads share, in all steps */
  struct step *steps;
  struct gradus_place *places;
};

enum { most_loops = 1 << 20 };

/* Whether a number from JavaScript is an integer within bounds. */
static int is_whole(double x, double least, double most) { return x >= least && x <= most && x == (double)(int64_t)x; }

static const double most_integer = 9007199254740992.0; /* up to here doubles hold every integer */

EXPORT void gradus_program_destroy(struct program *program) {
  if (program == NULL) return;
  free(program->steps);
  free(program->places);
  free(program);
}

/* Copies a program from a table: how many steps and places there are; of each step its function's address, whether there
 * is a barrier before it (0 or 1), the index of its first place and how many loops of it threads share; of each place its
 * base and offset. NULL if the table is not that. */
EXPORT struct program *gradus_program_create(const double *table, int32_t length) {
  static const char what[] = "the table of steps";
  if (table == NULL || length < 2 || !is_whole(table[0], 0, INT32_MAX) || !is_whole(table[1], 0, INT32_MAX)) {
    set_error(what, "it does not begin with two counts");
    return NULL;
  }
  const int64_t steps = (int64_t)table[0], places = (int64_t)table[1];
  if (2 + 4 * steps + 2 * places != length) {
    set_error(what, "its length does not follow from its counts");
    return NULL;
  }
  struct program *program = calloc(1, sizeof *program);
  if (program != NULL) {
    program->steps = calloc((size_t)steps + 1, sizeof *program->steps);
    program->places = calloc((size_t)places + 1, sizeof *program->places);
  }
  if (program == NULL || program->steps == NULL || program->places == NULL) {
    set_error(what, strerror(ENOMEM));
    gradus_program_destroy(program);
    return NULL;
  }
  program->count = (int32_t)steps;
  int sound = 1;
  const double *row = table + 2;
  for (int64_t i = 0; i < steps && sound; i++, row += 4) {
    sound = is_whole(row[0], 1, most_integer) && is_whole(row[1], 0, 1) && is_whole(row[2], 0, (double)places) &&
            is_whole(row[3], 0, most_loops - program->loops);
    if (!sound) break;
    program->steps[i].loops = program->loops;
    program->loops += (int32_t)row[3];
    program->steps[i].function = (gradus_function *)(uintptr_t)row[0];
    program->steps[i].barrier = (int32_t)row[1];
    program->steps[i].places = program->places + (int64_t)row[2];
  }
  for (int64_t i = 0; i < places && sound; i++, row += 2) {
    sound = is_whole(row[0], 0, INT32_MAX - 1) && is_whole(row[1], -most_integer, most_integer);
    if (!sound) break;
    program->places[i].base = (int64_t)row[0];
    program->places[i].offset = (int64_t)row[1];
    if (program->places[i].base >= program->bases) program->bases = (int32_t)program->places[i].base + 1;
  }
  if (sound) return program;
  set_error(what, "a number of a step or of a place is out of bounds");
  gradus_program_destroy(program);
  return NULL;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Pools. */

/* A run, as all threads see it. */
struct run {
  const struct program *program;
  char *const *bases;
  char *scratch;
  int64_t scratch_bytes;
  int32_t first, end;
};

struct worker {
  struct pool *pool;
  pthread_t handle;
  int32_t thread;
};

struct pool {
  /* Written by the caller between runs. */
  struct run run;
  int32_t threads;
  int32_t ending; /* workers are to return */
  int64_t patience;
  unsigned forks; /* that this process came from when the pool was made */
  pthread_mutex_t mutex; /* held by the caller of a run */
  char **bases;
  int32_t capacity; /* of bases */
  struct gradus_claim *claims;
  int64_t claims_capacity;
  struct worker *workers; /* threads - 1 */

  _Alignas(line) struct gate commands; /* opens for every run */
  _Alignas(line) struct gate barrier;  /* opens when all have arrived */
  int32_t stop; /* whether the threads that passed the barrier are to leave; set by the last to arrive */
  _Alignas(line) _Atomic int32_t arrived;
  _Alignas(line) _Atomic int32_t faulted; /* a thread has met a fault in this run */
};

/* One thread's way through a run. */
struct share {
  jmp_buf escape;
  volatile int32_t next; /* step */
};

/* Counts a thread in; the last one opens the barrier. Returns whether this was it. */
static int arrive(struct pool *pool) {
  if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1 < pool->threads) return 0;
  atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
  pool->stop = atomic_load_explicit(&pool->faulted, memory_order_relaxed);
  open_gate(&pool->barrier);
  return 1;
}

/* Waits until all threads have arrived. Returns whether they are to leave the program, the same to every one of them. */
static int meet(struct pool *pool) {
  const uint32_t number = atomic_load_explicit(&pool->barrier.number, memory_order_relaxed);
  if (!arrive(pool)) await_gate(&pool->barrier, number, pool->patience);
  return pool->stop;
}

static void fault(const struct gradus_call *call) { _longjmp(((struct share *)call->thread_state)->escape, 1); }

/* After a fault all threads go on to the next barrier without doing anything, and leave there together. */
static void run_share(struct pool *pool, int32_t thread, int32_t threads) {
  const struct run *run = &pool->run;
  struct share share;
  struct gradus_call call = {
    .thread = thread,
    .threads = threads,
    .bases = run->bases,
    .scratch = run->scratch + thread * run->scratch_bytes,
    .fault = fault,
    .thread_state = &share,
  };
  share.next = run->first;
  if (_setjmp(share.escape) != 0) atomic_store_explicit(&pool->faulted, 1, memory_order_relaxed);
  while (share.next < run->end) {
    const struct step *step = &run->program->steps[share.next];
    share.next = share.next + 1;
    if (step->barrier && call.threads > 1 && meet(pool)) return;
    if (atomic_load_explicit(&pool->faulted, memory_order_relaxed)) continue;
    call.places = step->places;
    call.claims = pool->claims + (int64_t)step->loops * threads;
    step->function(&call);
  }
}

static void *work(void *argument) {
  const struct worker *worker = argument;
  struct pool *pool = worker->pool;
#if defined(__APPLE__)
  pthread_setname_np("gradus");
#elif defined(__linux__)
  pthread_setname_np(pthread_self(), "gradus");
#endif
  for (uint32_t command = 0;; command++) {
    await_gate(&pool->commands, command, pool->patience);
    if (pool->ending) return NULL;
    run_share(pool, worker->thread, pool->threads);
    arrive(pool); /* the caller alone waits for the end */
  }
}

/* Forks between the first process that used this library and this one. A forked process has one thread only. */
static volatile unsigned forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int preparation;

static void count_fork(void) { forks++; }

static void prepare(void) {
  /* Threads run code of this library until the process ends, whoever closes it. */
  Dl_info self;
  if (dladdr(&most_integer, &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  preparation = pthread_atfork(NULL, NULL, count_fork);
}

/* Cores that this process may run on. */
static int64_t cores(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return sysconf(_SC_NPROCESSORS_ONLN);
}

static int start(struct worker *worker) {
  pthread_attr_t attributes;
  int failure = pthread_attr_init(&attributes);
  if (failure != 0) return failure;
  pthread_attr_setstacksize(&attributes, stack_bytes); /* where it is refused, the default must do */
  failure = pthread_create(&worker->handle, &attributes, work, worker);
  pthread_attr_destroy(&attributes);
  return failure;
}

static void pool_free(struct pool *pool) {
  free(pool->bases);
  free(pool->claims);
  free(pool->workers);
  free(pool);
}

/* Ends the workers and waits for that. No run may be under way, and none may follow. */
EXPORT void gradus_pool_destroy(struct pool *pool) {
  if (pool == NULL) return;
  if (pool->forks == forks) {
    pool->ending = 1;
    open_gate(&pool->commands);
    for (int32_t i = 0; i < pool->threads - 1; i++) pthread_join(pool->workers[i].handle, NULL);
    gate_destroy(&pool->commands);
    gate_destroy(&pool->barrier);
    pthread_mutex_destroy(&pool->mutex);
  }
  pool_free(pool);
}

/* Makes a pool of that many threads, the later caller's included. NULL if they cannot be had. */
EXPORT struct pool *gradus_pool_create(int32_t threads) {
  static const char what[] = "a pool of threads";
  if (threads < 1 || threads > most_threads) {
    set_error(what, "the number of threads is out of bounds");
    return NULL;
  }
  pthread_once(&once, prepare);
  if (preparation != 0) {
    set_error(what, strerror(preparation));
    return NULL;
  }
  void *memory = NULL;
  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  if (workers == NULL || posix_memalign(&memory, line, sizeof(struct pool)) != 0) {
    set_error(what, strerror(ENOMEM));
    free(workers);
    return NULL;
  }
  struct pool *pool = memset(memory, 0, sizeof(struct pool));
  pool->workers = workers;
  pool->patience = threads > cores() ? impatient : patient;
  pool->forks = forks;
  pthread_mutex_init(&pool->mutex, NULL);
  gate_create(&pool->commands);
  gate_create(&pool->barrier);

  /* Signals are for the process's other threads, which have handlers for them: threads begin with their maker's mask. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = 0;
  for (pool->threads = 1; pool->threads < threads; pool->threads++) {
    struct worker *worker = &workers[pool->threads - 1];
    *worker = (struct worker){.pool = pool, .thread = pool->threads};
    if ((failure = start(worker)) != 0) break;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failure == 0) return pool;
  gradus_pool_destroy(pool);
  set_error(what, strerror(failure));
  return NULL;
}

/* Turns byte offsets into the pool's list of addresses. Returns 0 if there is no memory for it. */
static int locate(struct pool *pool, char *heap, const double *bases, int32_t count) {
  if (count > pool->capacity) {
    char **larger = realloc(pool->bases, (size_t)count * sizeof *larger);
    if (larger == NULL) return 0;
    pool->bases = larger;
    pool->capacity = count;
  }
  for (int32_t i = 0; i < count; i++) pool->bases[i] = heap + (int64_t)bases[i];
  return 1;
}

/* Makes every thread's part of every shared loop free to be taken. Returns 0 if there is no memory for it. */
static int free_claims(struct pool *pool, int64_t count) {
  if (count > pool->claims_capacity) {
    free(pool->claims);
    pool->claims_capacity = 0;
    pool->claims = NULL;
    void *memory = NULL;
    if (posix_memalign(&memory, line, (size_t)count * sizeof *pool->claims) != 0) return 0;
    pool->claims = memory;
    pool->claims_capacity = count;
  }
  if (count > 0) memset(pool->claims, 0, (size_t)count * sizeof *pool->claims);
  return 1;
}

enum { done = 0, ended_by_fault = 1, refused = 2 };

/* Runs `steps` steps from `first` on, or all that follow if it is negative: on all threads, or on the caller alone. The
 * bases and the scratch of thread 0 are given in bytes from the heap. Returns 0 when all is done, 1 when a fault ended
 * it, 2 when nothing was run because the arguments do not fit the program. Calls on one pool wait for each other. In a
 * forked process, which has no workers, the caller runs everything, and has to see to it that it is the only one. */
EXPORT int32_t gradus_run(struct pool *pool, const struct program *program, char *heap, const double *bases,
                          int32_t count, double scratch, double scratch_bytes, int32_t parallel, int32_t first,
                          int32_t steps) {
  static const char what[] = "a run";
  if (pool == NULL || program == NULL || count < program->bases) {
    set_error(what, "there are fewer bases than the program refers to");
    return refused;
  }
  if (first < 0 || first > program->count || steps > program->count - first) {
    set_error(what, "the program does not have these steps");
    return refused;
  }
  const int forked = pool->forks != forks;
  if (!forked) pthread_mutex_lock(&pool->mutex);
  int32_t result = refused;
  const int alone = !parallel || pool->threads == 1 || forked;
  const int64_t claims = alone ? 0 : (int64_t)program->loops * pool->threads;
  if (locate(pool, heap, bases, count) && free_claims(pool, claims)) {
    pool->run = (struct run){
      .program = program,
      .bases = pool->bases,
      .scratch = heap + (int64_t)scratch,
      .scratch_bytes = (int64_t)scratch_bytes,
      .first = first,
      .end = steps < 0 ? program->count : first + steps,
    };
    atomic_store_explicit(&pool->faulted, 0, memory_order_relaxed);
    if (alone) {
      run_share(pool, 0, 1);
    } else {
      open_gate(&pool->commands);
      run_share(pool, 0, pool->threads);
      meet(pool);
    }
    result = atomic_load_explicit(&pool->faulted, memory_order_relaxed) ? ended_by_fault : done;
  } else {
    set_error(what, strerror(ENOMEM));
  }
  if (!forked) pthread_mutex_unlock(&pool->mutex);
  return result;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Libraries of emitted code. */

EXPORT const char *gradus_abi(void) { return GRADUS_ABI; }

/* NULL if the library cannot be loaded. */
EXPORT void *gradus_open(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) set_error("a library", dlerror());
  return library;
}

/* NULL if the library has no such symbol. */
EXPORT void *gradus_symbol(void *library, const char *name) {
  void *symbol = dlsym(library, name);
  if (symbol == NULL) set_error("a symbol", dlerror());
  return symbol;
}

EXPORT void gradus_close(void *library) { dlclose(library); }
