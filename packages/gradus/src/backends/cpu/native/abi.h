/* What the runtime and emitted code agree on. It stands at the head of every translation unit of both. */

#include <stddef.h>
#include <stdint.h>

#define GRADUS_ABI "gradus native 2"

/* Where a buffer begins: at one of the program's base addresses, and so many bytes on. */
struct gradus_place {
  int64_t base;
  int64_t offset;
};

/* How many pieces of one thread's part of a shared loop are taken, by whichever thread: a cache line for each. */
struct gradus_claim {
  _Alignas(64) uint32_t taken;
};

/* One thread's share of one step. */
struct gradus_call {
  int32_t thread;                    /* which of the threads this is, from 0 */
  int32_t threads;                   /* how many share the step */
  char *const *bases;                /* arena, scalars, inputs and outputs, in an order that is the emitter's affair */
  const struct gradus_place *places; /* of this step's buffers */
  struct gradus_claim *claims;       /* of this step's shared loops, one for every thread of each; 0 at first */
  char *scratch;                     /* memory that is this thread's alone */
  void (*fault)(const struct gradus_call *); /* ends the program because an index is out of range; does not return */
  void *thread_state;                        /* the runtime's */
};

typedef void gradus_function(const struct gradus_call *);
