/*
 * What the decoders of vertices, witnesses and milestones take, encodes to the
 * same bytes, and has the identity of these bytes.
 */
#include "fuzz.h"

#include "base/check.h"
#include "chain/milestone.h"
#include "chain/vertex.h"
#include "chain/witness.h"
#include "crypto/keccak.h"
const char *const fuzz_seeds[] = {
	"f90115f8cc01827a6902a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f86"
	"018bcfe56800d901946c31fc15422ebad28aaf9089c306702f67540b538203e801b8403a07c01584662df604"
	"73e5aee1a0973f84051327ffdf3afcda30987eda8600214940981811e51e8fa21be0142dd92ddc18d69eba35"
	"a01180235f09d33872dbefb840be73bf76f665e012e092186b0d412eb014a370c87213ca35fb2a5d40131ca1"
	"812d7f7669573dc4c252fb3e4ac2ae1283c0cc12729b1f481c19be7eda66730ddef842a06c31fc15422ebad2"
	"8aaf9089c306702f67540b53c7eea8b7d2941044b027100fa0859f11b75569a4eb0496c5138fd42cc52aee8c"
	"f5c4e7cfafe58c92b2ed138e04c20263",
	"f8fdf8b501827a6902a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f8601"
	"8bcfe56800c2020701b8403a07c01584662df60473e5aee1a0973f84051327ffdf3afcda30987eda86002149"
	"40981811e51e8fa21be0142dd92ddc18d69eba35a01180235f09d33872dbefb840be73bf76f665e012e09218"
	"6b0d412eb014a370c87213ca35fb2a5d40131ca1812d7f7669573dc4c252fb3e4ac2ae1283c0cc12729b1f48"
	"1c19be7eda66730ddef842a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f"
	"a0859f11b75569a4eb0496c5138fd42cc52aee8cf5c4e7cfafe58c92b2ed138e04c101",
	"f8e3f89b01827a69808086018bcfe56800c8038632312e35204302b8403a07c01584662df60473e5aee1a097"
	"3f84051327ffdf3afcda30987eda8600214940981811e51e8fa21be0142dd92ddc18d69eba35a01180235f09"
	"d33872dbefb840be73bf76f665e012e092186b0d412eb014a370c87213ca35fb2a5d40131ca1812d7f766957"
	"3dc4c252fb3e4ac2ae1283c0cc12729b1f481c19be7eda66730ddef842a06c31fc15422ebad28aaf9089c306"
	"702f67540b53c7eea8b7d2941044b027100fa0859f11b75569a4eb0496c5138fd42cc52aee8cf5c4e7cfafe5"
	"8c92b2ed138e04c101",
	"f90111030109a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f05f863a06c"
	"31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100fa0859f11b75569a4eb0496c513"
	"8fd42cc52aee8cf5c4e7cfafe58c92b2ed138e04a0d4c69e49e83a6047f46e42b2d053a1f0c6e70ea42862e5"
	"ef4ad66b3666c5e2afe1a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100fe1"
	"a0859f11b75569a4eb0496c5138fd42cc52aee8cf5c4e7cfafe58c92b2ed138e04b8411b2fd0d8146a46cd38"
	"52f10edae44bf857a0a726696185ba882d435690af79c9739336246e8a8a7aecc63d30febdf662399263b84f"
	"69286efebe3f512b09f84500",
	"f84b0301098005c0c0c0b8411b2fd0d8146a46cd3852f10edae44bf857a0a726696185ba882d435690af79c9"
	"739336246e8a8a7aecc63d30febdf662399263b84f69286efebe3f512b09f84500",
	"f86604f863a06c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100fa0859f11b755"
	"69a4eb0496c5138fd42cc52aee8cf5c4e7cfafe58c92b2ed138e04a0d4c69e49e83a6047f46e42b2d053a1f0"
	"c6e70ea42862e5ef4ad66b3666c5e2af",
	NULL,
};

static void expect(struct buf *again, struct bytes input)
{
	CHECK(bytes_equal(buf_bytes(again), input));
	buf_reset(again);
}

static void expect_hash(const struct hash *id, struct bytes input)
{
	struct hash direct;

	keccak256(&direct, input);
	CHECK(hash_equal(id, &direct));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	struct milestone milestone;
	struct buf again = { 0 };
	struct witness witness;
	struct vertex vertex;
	struct hash id;

	if (vertex_decode(&vertex, input, NULL) == OK) {
		vertex_encode(&again, &vertex);
		expect(&again, input);
		vertex_id(&vertex, &id);
		expect_hash(&id, input);
		vertex_spend_id(&vertex, &id);
		CHECK(vertex_is_spend(&vertex) == (vertex.sequence > 0));
	}
	if (witness_decode(&witness, input, NULL) == OK) {
		witness_encode(&again, &witness);
		expect(&again, input);
		witness_id(&witness, &id);
		expect_hash(&id, input);
	}
	if (milestone_decode(&milestone, input, NULL) == OK) {
		milestone_encode(&again, &milestone);
		expect(&again, input);
		milestone_witnesses_root(&milestone, &id);
	}
	buf_clear(&again);
	return 0;
}
