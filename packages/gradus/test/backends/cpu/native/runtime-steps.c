/* Steps and drivers for the tests of the runtime. The head of every translation unit (abi.h) goes before this. */

#define COUNT 61

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static int32_t *words(const struct gradus_call *call, int place) {
  return (int32_t *)(call->bases[call->places[place].base] + call->places[place].offset);
}

/* Every word of place 1 from two of place 0, which other threads have written. */
void mix(const struct gradus_call *call) {
  const int32_t *from = words(call, 0);
  int32_t *to = words(call, 1);
  for (int i = call->thread; i < COUNT; i += call->threads)
    to[i] = (int32_t)(31u * (uint32_t)from[(i + 1) % COUNT] + (uint32_t)from[(7 * i) % COUNT] + (uint32_t)i);
}

/* Says how many threads there are, and who was here how often, at place 0; the same in each thread's scratch. */
void record(const struct gradus_call *call) {
  words(call, 0)[call->thread]++;
  words(call, 0)[8] = call->threads;
  ((int32_t *)call->scratch)[0] = call->thread + 1;
}

/* Counts at place 0 how often each piece of two shared loops was taken. A thread's own part of a loop is 5 pieces; once it
 * is done with them it helps the others. */
void help(const struct gradus_call *call) {
  for (int loop = 0; loop < 2; loop++) {
    for (int i = 0; i < call->threads; i++) {
      const int owner = (call->thread + i) % call->threads;
      struct gradus_claim *claim = &call->claims[loop * call->threads + owner];
      for (uint32_t piece; (piece = __atomic_fetch_add(&claim->taken, 1, __ATOMIC_RELAXED)) < 5;)
        words(call, 0)[40 * loop + 5 * owner + piece]++;
    }
  }
}

/* Ends the program in the thread that place 0 names; the others, and nobody else, get past that. */
void trip(const struct gradus_call *call) {
  if (call->thread == words(call, 0)[0]) call->fault(call);
  words(call, 0)[1 + call->thread] = 1;
}

/* Thread 0 is at work until well after another has met a fault, for which the rest may never begin. */
void linger(const struct gradus_call *call) {
  _Atomic int32_t *failed = (_Atomic int32_t *)words(call, 0), *begun = failed + 2;
  if (call->thread > 0) {
    while (atomic_load(begun) == 0) usleep(100);
    atomic_fetch_add(failed, 1);
    call->fault(call);
  }
  atomic_store(begun, 1);
  while (atomic_load(failed) == 0) usleep(100);
  usleep(20000);
  words(call, 0)[1] = 1;
}

/* One thread after the other is late, so that the rest fall asleep at the barrier. */
void dawdle(const struct gradus_call *call) {
  int32_t *turn = words(call, 0);
  if (call->thread == *turn % call->threads) {
    usleep(300);
    *turn += 1;
  }
}

/* Counts at place 0 how many runs there are, and at its next word how often one was begun while another was on. */
void enter(const struct gradus_call *call) {
  if (call->thread == 0 && atomic_fetch_add((_Atomic int32_t *)words(call, 0), 1) > 0) words(call, 0)[1]++;
}
void leave(const struct gradus_call *call) {
  if (call->thread == 0) atomic_fetch_sub((_Atomic int32_t *)words(call, 0), 1);
}

typedef int32_t run_function(void *pool, const void *program, char *heap, const double *bases, int32_t count,
                             double scratch, double scratch_bytes, int32_t parallel, int32_t first, int32_t steps);

/* What the child of a fork finds: 0 if it ran a program, whose steps are `record` at base 0, alone and could end the
 * pool. A fork leaves JavaScript's memory behind, and the heap with it, so this has a heap of its own. */
int32_t run_in_fork(run_function *run, void (*destroy)(void *), void *pool, const void *program) {
  static char heap[1024];
  const double base = 0;
  const pid_t child = fork();
  if (child == 0) {
    alarm(10); /* rather than for ever */
    int32_t result = run(pool, program, heap, &base, 1, 512, 64, 1, 0, -1);
    if (result == 0 && ((int32_t *)heap)[8] != 1) result = 3;
    destroy(pool);
    _exit(result);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

struct client {
  run_function *run;
  void *pool;
  const void *program;
  char *heap;
  double base;
  int32_t failures;
};

static void *client_work(void *argument) {
  struct client *client = argument;
  for (int i = 0; i < 100; i++)
    client->failures += client->run(client->pool, client->program, client->heap, &client->base, 1, 0, 0, 1, 0, -1) != 0;
  return NULL;
}

/* Two threads run a program 100 times each, on a pool and at a base of their own or on the same. Returns failed runs. */
int32_t run_from_two(run_function *run, void *pool_a, void *pool_b, const void *program, char *heap, double base_a,
                     double base_b) {
  struct client a = {run, pool_a, program, heap, base_a, 0}, b = {run, pool_b, program, heap, base_b, 0};
  pthread_t handle_a, handle_b;
  if (pthread_create(&handle_a, NULL, client_work, &a) != 0) return -1;
  if (pthread_create(&handle_b, NULL, client_work, &b) != 0) return -1;
  pthread_join(handle_a, NULL);
  pthread_join(handle_b, NULL);
  return a.failures + b.failures;
}
