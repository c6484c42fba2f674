/*
 * wire - what two nodes send each other, as bytes and as values.
 *
 *     frame     4 bytes: size of the envelope, most significant first
 *               envelope: protobuf (envelope.proto), one message of one kind
 *
 *     bytes ──► wire_peek()     kind and size, from the first 10 bytes
 *           ──► wire_decode()   walk: known fields, bounds, one form  (nothing allocated)
 *                               unpack: protobuf-c, out of a budget that the walk counted
 *           ──► struct wire_message
 *
 * Invariants:
 * - Nothing is allocated for bytes that have not been bounded: a frame by its
 *   kind before it is awaited, every field before it is unpacked. protobuf-c alone
 *   takes 63 MB for 1 MiB of unknown fields and overflows the stack on recursion;
 *   here unknown fields are refused, and no message contains itself.
 * - A message has one encoding. Fields stand in rising order, once unless repeated,
 *   numbers are minimal, and a field that holds its default is left out. So whatever
 *   decodes, encodes to the same bytes.
 * - What is hashed or signed stays opaque: bytes in, the same bytes out.
 * - Nothing that protoc-c generates is seen outside this folder.
 */
#ifndef WEFT_WIRE_WIRE_H
#define WEFT_WIRE_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "chain/block.h"
#include "chain/certificate.h"
#include "chain/message.h"

enum wire_error {
	WIRE_E_SIZE = ERR_BASE_WIRE, /* a frame or field longer or shorter than its kind allows */
	WIRE_E_KIND,                 /* a kind that does not exist, or is not due now */
	WIRE_E_UNKNOWN,              /* a field that the message does not have */
	WIRE_E_FORM,                 /* not protobuf, or not the one form that is allowed */
	WIRE_E_COUNT,                /* more elements than allowed */
	WIRE_E_VALUE,                /* a field out of its range, or missing */
	WIRE_E_BUDGET,               /* unpacking asked for more memory than was counted */
};

/* Values are field numbers of Envelope. */
enum wire_kind {
	WIRE_HELLO = 1,      /* first on every connection, both ways */
	WIRE_TRANSACTIONS,   /* gossip */
	WIRE_CONSENSUS,      /* one of chain/message.h */
	WIRE_BLOCKS_REQUEST,
	WIRE_BLOCKS,         /* the answer: final blocks with their certificates */
	WIRE_STATUS,         /* the sender's newest final block */
	WIRE_PING,
	WIRE_PONG,
	WIRE_EVIDENCE,       /* two signatures that contradict each other */
	WIRE_GOODBYE,        /* why the sender closes */
	WIRE_CHECKPOINT,     /* a validator's word that a block is final */
};
#define WIRE_KIND_COUNT 12 /* one more than the last */

const char *wire_kind_name(enum wire_kind kind);

/* Bounds of fields. */
#define WIRE_SOFTWARE_SIZE_MAX 64      /* printable ASCII */
#define WIRE_TRANSACTIONS_COUNT_MAX 4096
#define WIRE_TRANSACTIONS_SIZE_MAX (1 * MIB) /* of all raw transactions in one message */
#define WIRE_BLOCKS_COUNT_MAX 128
#define WIRE_BLOCKS_SIZE_MAX (9 * MIB) /* of all sealed blocks and certificates in one message */
#define WIRE_CERTIFICATE_SIZE_MAX (24 * KIB)
#define WIRE_EVIDENCE_SIZE_MAX (64 * KIB)
#define WIRE_CHECKPOINT_SIZE_MAX 160

#define WIRE_HEADER_SIZE 4
#define WIRE_PEEK_SIZE 10 /* as many bytes tell everything about a frame's size */

/* The longest frame of all kinds, header included. */
#define WIRE_FRAME_SIZE_MAX (WIRE_BLOCKS_SIZE_MAX + 4 * KIB)

static_assert(WIRE_BLOCKS_SIZE_MAX >= BLOCK_SEALED_SIZE_MAX + WIRE_CERTIFICATE_SIZE_MAX,
	      "the largest block fits a message");
static_assert(WIRE_FRAME_SIZE_MAX >= MESSAGE_SIZE_MAX + 64, "so does the largest pre-prepare");
static_assert(WIRE_TRANSACTIONS_SIZE_MAX >= LIMIT_TX_SIZE, "and the largest transaction");
static_assert(WIRE_CERTIFICATE_SIZE_MAX > 128 + (SEAL_SIZE + 2) * VALIDATOR_COUNT_MAX,
	      "everyone may sign a certificate");

struct wire_hello {
	uint32_t protocol_version;
	uint64_t chain_id;
	struct hash genesis_hash;
	struct addr address;
	struct signature signature; /* of p2p's digest; recovery id 0 or 1 */
	uint64_t height;
	struct hash block_hash;
	uint16_t listen_port;       /* 0: takes no connections */
	struct bytes software;      /* at most WIRE_SOFTWARE_SIZE_MAX, printable ASCII */
	uint64_t instance;          /* random, of the sender's process */
};

struct wire_transactions {
	const struct bytes *items;  /* 1 - WIRE_TRANSACTIONS_COUNT_MAX, none empty */
	size_t count;
	bool is_spread;             /* the sender reaches every validator itself */
};

struct wire_blocks_request {
	uint64_t from_height;
	uint32_t count;             /* 1 - WIRE_BLOCKS_COUNT_MAX */
};

struct wire_block {
	struct bytes sealed;
	struct bytes certificate;
};

/* Blocks from_height, from_height + 1, …; fewer than were asked for, or none, if
 * the sender lacks them or they do not fit. */
struct wire_blocks {
	uint64_t from_height;
	const struct wire_block *items;
	size_t count;
};

struct wire_status {
	uint64_t height;
	struct hash block_hash;
};

struct wire_message {
	enum wire_kind kind;
	union {
		struct wire_hello hello;
		struct wire_transactions transactions;
		struct bytes consensus; /* opaque */
		struct bytes evidence;  /* opaque */
		struct bytes checkpoint; /* opaque */
		struct wire_blocks_request blocks_request;
		struct wire_blocks blocks;
		struct wire_status status;
		uint64_t nonce;         /* of a ping and its pong */
		uint32_t reason;        /* of a goodbye */
	};
};

/* A set of kinds, bit k for kind k. */
#define WIRE_KIND_BIT(kind) (1u << (kind))
#define WIRE_KINDS_ALL ((1u << WIRE_KIND_COUNT) - 2)

/* The longest frame of a kind, header included. */
size_t wire_frame_size_max(enum wire_kind kind);

/* Looks at the beginning of a frame. `kinds` are those that may come now: before
 * the handshake Hello and Goodbye only. Sets *size to the size of the whole frame,
 * header included, and *kind, once that is known; *size is 0 while more bytes are
 * needed (at most WIRE_PEEK_SIZE). Refuses as early as the bytes allow. O(1). */
int wire_peek(struct bytes in, unsigned kinds, enum wire_kind *kind, size_t *size,
	      struct err *err);

/* Memory for unpacking; kept from one message to the next. */
struct wire_decoder;
struct wire_decoder *wire_decoder_new(void);
void wire_decoder_free(struct wire_decoder *d);

/* Decodes one whole frame, of the size that wire_peek() gave. What `out` points to
 * is the decoder's, until its next call. Linear in the frame's size; allocates at
 * most that and 256 bytes an element. */
int wire_decode(struct wire_decoder *d, struct bytes frame, struct wire_message *out,
		struct err *err);

/* Appends one frame. The message keeps to the bounds above (the programmer's to see to). */
void wire_encode(struct buf *out, const struct wire_message *m);

#endif
