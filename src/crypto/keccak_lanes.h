/*
 * keccak_lanes - several Keccak-256 side by side in vector registers; what
 * keccak.c and the vector code share. Not for use outside src/crypto.
 *
 *     lane:      0      1      2      3        Register i holds word i of every
 *     word 0   [ m0  |  m1  |  m2  |  m3 ]     lane's state. A lane whose message
 *     word 1   [ m0  |  m1  |  m2  |  m3 ]     ends gives its hash, is cleared and
 *      ...                                     takes the next message, so lanes
 *     word 24  [ m0  |  m1  |  m2  |  m3 ]     stay busy whatever the lengths are.
 */
#ifndef WEFT_CRYPTO_KECCAK_LANES_H
#define WEFT_CRYPTO_KECCAK_LANES_H

#include "crypto/keccak.h"

#define KECCAK_ROUND_COUNT 24

extern const uint64_t keccak_round_constants[KECCAK_ROUND_COUNT];

/* A message on its way through a lane. */
struct keccak_lane {
	const uint8_t *next; /* first byte not absorbed yet */
	size_t left;         /* bytes from `next` to the message's end */
	size_t index;        /* which message; SIZE_MAX if the lane is idle */
};

/* True if this build and this machine have four lanes (AVX2), eight (AVX-512). */
bool keccak_x4_available(void);
bool keccak_x8_available(void);

/* out[i] is the hash of messages[i]; only where available. */
void keccak_x4(struct hash out[], const struct bytes messages[], size_t count);
void keccak_x8(struct hash out[], const struct bytes messages[], size_t count);

/* The messages of one call and how far it is. */
struct keccak_job {
	struct hash *out;
	const struct bytes *messages;
	size_t count;
	size_t taken; /* messages that went into a lane */
	size_t given; /* hashes that came out */
};

/* Puts the next message, if any is left, into the lane. */
static inline void keccak_lane_fill(struct keccak_lane *lane, struct keccak_job *job)
{
	if (job->taken == job->count) {
		*lane = (struct keccak_lane){ .index = SIZE_MAX };
		return;
	}
	*lane = (struct keccak_lane){
		.next = job->messages[job->taken].data,
		.left = job->messages[job->taken].size,
		.index = job->taken,
	};
	job->taken++;
}

/* Moves every lane on by the block that was absorbed; gives the lanes that ended
 * with it as a bit set. Idle lanes end with every block. */
static inline unsigned keccak_lanes_advance(struct keccak_lane lanes[], unsigned lane_count)
{
	unsigned i, ended = 0;

	for (i = 0; i < lane_count; i++) {
		if (lanes[i].left >= KECCAK_RATE) {
			lanes[i].next += KECCAK_RATE;
			lanes[i].left -= KECCAK_RATE;
		} else {
			ended |= 1u << i;
		}
	}
	return ended;
}

/* Gives out the hashes of the lanes that ended and fills those lanes again. */
static inline void keccak_lanes_turn(struct keccak_lane lanes[], unsigned lane_count,
				     struct keccak_job *job, unsigned ended,
				     const struct hash hashes[])
{
	unsigned i;

	for (i = 0; i < lane_count; i++) {
		if (!(ended & 1u << i))
			continue;
		if (lanes[i].index != SIZE_MAX) {
			job->out[lanes[i].index] = hashes[i];
			job->given++;
		}
		keccak_lane_fill(&lanes[i], job);
	}
}

#endif
