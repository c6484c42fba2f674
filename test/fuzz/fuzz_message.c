/*
 * What the decoders of consensus messages, certificates and checkpoints take,
 * encodes to the same bytes; checking it against a set never goes out of bounds.
 */
#include "fuzz.h"

#include "base/check.h"
#include "chain/message.h"
const char *const fuzz_seeds[] = {
	"f868030c0102b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c973933624"
	"6e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500a06c31fc15422ebad28aaf9089c306"
	"702f67540b53c7eea8b7d2941044b027100f",
	"f8bc0c01a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f90050000000000"
	"00000000000000000000f886b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af"
	"79c9739336246e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500b8411b2fd0d8146a46"
	"cd3852f10edae44bf857a0a726696185ba882d435690af79c9739336246e8a8a7aecc63d30febdf662399263"
	"b84f69286efebe3f512b09f84500",
	"f86603a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f01b8411b2fd0d814"
	"6a46cd3852f10edae44bf857a0a726696185ba882d435690af79c9739336246e8a8a7aecc63d30febdf66239"
	"9263b84f69286efebe3f512b09f84500",
	"f84a040c0301b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c973933624"
	"6e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500c0c080",
	"f9010b040c0301b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c9739336"
	"246e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500e201a06c31fc15422ebad28aaf90"
	"89c306702f67540b53c7eea8b7d2941044b027100ff8999005000000000000000000000000000000f886b841"
	"1b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c9739336246e8a8a7aecc63d30"
	"febdf662399263b84f69286efebe3f512b09f84500b8411b2fd0d8146a46cd3852f10edae44bf857a0a72669"
	"6185ba882d435690af79c9739336246e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500"
	"85626c6f636b",
	"f870010c8001b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c973933624"
	"6e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500a06c31fc15422ebad28aaf9089c306"
	"702f67540b53c7eea8b7d2941044b027100f85626c6f636bc0c0",
	"f901bb010c0301b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c9739336"
	"246e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500a06c31fc15422ebad28aaf9089c3"
	"06702f67540b53c7eea8b7d2941044b027100f85626c6f636bf8b0f86701b8411b2fd0d8146a46cd3852f10e"
	"dae44bf857a0a726696185ba882d435690af79c9739336246e8a8a7aecc63d30febdf662399263b84f69286e"
	"febe3f512b09f84500e201a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f"
	"f84503b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c9739336246e8a8a"
	"7aecc63d30febdf662399263b84f69286efebe3f512b09f84500c0f899900500000000000000000000000000"
	"0000f886b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c9739336246e8a"
	"8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500b8411b2fd0d8146a46cd3852f10edae44b"
	"f857a0a726696185ba882d435690af79c9739336246e8a8a7aecc63d30febdf662399263b84f69286efebe3f"
	"512b09f84500",
	NULL,
};

/* Four members of weight 1. */
static void make_set(struct validator_set *out)
{
	struct validator members[4] = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		members[i].address.bytes[0] = (uint8_t)(i + 1);
		members[i].weight.n = 1;
	}
	CHECK(validator_set_init(out, members, ARRAY_COUNT(members), NULL) == OK);
}

static void expect(struct buf *again, struct bytes input)
{
	CHECK(bytes_equal(buf_bytes(again), input));
	buf_reset(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	struct seal seals[MESSAGE_SEAL_MAX];
	struct certificate certificate;
	struct checkpoint checkpoint;
	struct validator_set set;
	struct buf again = { 0 };
	struct message message;

	make_set(&set);
	if (message_decode(&message, input, NULL) == OK) {
		message_encode(&again, &message);
		expect(&again, input);
		CHECK(message_validator(&message) < VALIDATOR_COUNT_MAX);
		if (message_check(&message, &set, NULL) == OK)
			CHECK(message_seals(&message, 1, &set, seals) <= 1 + 2 * set.count);
		message_clear(&message);
	}
	if (certificate_decode(&certificate, input, NULL) == OK) {
		certificate_encode(&again, &certificate);
		expect(&again, input);
		if (certificate_check_weight(&certificate, &set, NULL) == OK)
			CHECK(certificate_seals(&certificate, DOMAIN_COMMIT, 1, &set, seals) ==
			      certificate.count);
	}
	if (checkpoint_decode(&checkpoint, input, NULL) == OK) {
		checkpoint_encode(&again, &checkpoint);
		expect(&again, input);
	}
	buf_clear(&again);
	return 0;
}
