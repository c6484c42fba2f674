/* Programs in state-test files: the message alone is measured, from an empty machine with
 * decoded code to its result; the state is taken back each time. */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/bench.h"
#include "app/state_file.h"
#include "base/check.h"
#include "codec/hex.h"

struct program {
	struct bench_report *report;
	struct exec *exec;
	struct state_world *world;
	struct tx *tx;
	struct vm_message message;
	uint64_t gas_used;
	bool success;
};

/* Of the programs of one folder. */
struct mean {
	double log_sum;
	unsigned count;
};

static void run_program(void *ctx, uint64_t rounds)
{
	struct program *p = ctx;
	struct host *h = &p->exec->host;

	while (rounds--) {
		struct host_snapshot before;
		struct vm_result result;

		host_begin(h, &p->world->block, &p->tx->sender, &p->tx->to, wei_of(1),
			   p->tx->access_list);
		before = host_snapshot(h);
		CHECK(host_call(h, &p->message, &result));
		host_revert(h, before);
		p->success = result.status == VM_SUCCESS;
		p->gas_used = p->message.gas - result.gas_left;
		buf_clear(&result.output);
	}
}

static void measure(struct program *p, const char *name, struct mean *mean)
{
	struct bench_figure ns, speed;

	run_program(p, 1); /* decodes, and makes the state known */
	ns = bench_measure(p->report, run_program, p, 1);
	speed = bench_per_second(ns);
	speed.median *= (double)p->gas_used / 1e6;
	speed.min *= (double)p->gas_used / 1e6;
	speed.max *= (double)p->gas_used / 1e6;
	bench_report_row(p->report, name, "ns", ns);
	bench_report_row(p->report, "", "Mgas/s", speed);
	if (!p->success)
		printf("  (it does not succeed)\n");
	mean->log_sum += log(speed.median);
	mean->count++;
}

static bool prepare(struct program *p, const struct ecc *ecc, const struct jval *post)
{
	struct buf raw = { 0 };
	bool good = hex_parse_data(&raw, jval_string(jval_get(post, "txbytes")), MIB) &&
		    tx_decode(&p->tx, buf_bytes(&raw), SIZE_MAX, NULL) == OK;

	buf_clear(&raw);
	if (!good || tx_recover(ecc, p->tx, NULL) != OK)
		return false;
	p->message = (struct vm_message){
		.kind = VM_CALL, .gas = p->tx->gas_limit - tx_base_gas(p->tx),
		.recipient = p->tx->to, .sender = p->tx->sender, .code_address = p->tx->to,
		.value = p->tx->value, .input = p->tx->data,
	};
	return true;
}

/* The label of a test's case, as "_info" has it; else its number. */
static void case_name(char *out, size_t size, const char *name, const struct jval *test,
		      const struct jval *post)
{
	int64_t index = jval_integer(jval_get(jval_get(post, "indexes"), "data"));
	char key[24];
	struct bytes label;

	snprintf(key, sizeof(key), "%" PRId64, index);
	label = jval_string(jval_get(jval_get(jval_get(test, "_info"), "labels"), key));
	snprintf(out, size, "%s/%.*s", name, label.size ? (int)label.size : (int)strlen(key),
		 label.size ? (const char *)label.data : key);
}

static bool bench_test(struct bench_report *r, const struct ecc *ecc, const char *name,
		       const struct jval *test, struct mean *mean)
{
	struct chain_params params = { .chain_id = 1, .revision = REVISION_CANCUN,
				       .block_gas_limit = BLOCK_GAS_LIMIT_MAX };
	void *cursor = NULL;
	const char *fork;
	const struct jval *posts = NULL;
	struct state_world world;
	bool good = true;

	if (!jval_next(jval_get(test, "post"), &cursor, &fork, &posts) ||
	    state_world_load(&world, test, params.revision, NULL) != OK)
		return false;
	for (size_t i = 0; good && i < jval_count(posts); i++) {
		struct program p = { .report = r, .world = &world };
		char full[128];

		good = prepare(&p, ecc, jval_at(posts, i));
		if (good) {
			p.exec = exec_new(&params, 1);
			overlay_reset(p.exec->overlay, state_world_view(&world));
			case_name(full, sizeof(full), name, test, jval_at(posts, i));
			measure(&p, full, mean);
			exec_free(p.exec);
		}
		tx_unref(p.tx);
	}
	state_world_clear(&world);
	return good;
}

static bool bench_file(struct bench_report *r, const struct ecc *ecc, const char *path,
		       struct mean *mean)
{
	struct jval *root = NULL;
	struct buf text = { 0 };
	const struct jval *test;
	const char *name;
	void *cursor = NULL;
	bool good = state_file_read(&text, path) && jval_parse(&root, buf_bytes(&text), NULL) == OK;

	while (good && jval_next(root, &cursor, &name, &test))
		good = bench_test(r, ecc, name, test, mean);
	if (!good)
		fprintf(stderr, "weft-bench: %s is no state test that can be read\n", path);
	jval_free(root);
	buf_clear(&text);
	return good;
}

static int is_json(const struct dirent *e)
{
	size_t size = strlen(e->d_name);

	return size > 5 && strcmp(e->d_name + size - 5, ".json") == 0;
}

static int is_folder(const struct dirent *e)
{
	return e->d_name[0] != '.' && e->d_type == DT_DIR;
}

/* All files of a folder, and their geometric mean. */
static bool bench_files(struct bench_report *r, const struct ecc *ecc, const char *path)
{
	struct mean mean = { 0 };
	struct dirent **entries;
	bool good = true;
	int count = scandir(path, &entries, is_json, alphasort);

	if (count < 0)
		return false;
	if (count > 0)
		bench_report_section(r, path);
	for (int i = 0; i < count; i++) {
		struct buf full = { 0 };

		buf_printf(&full, "%s/%s", path, entries[i]->d_name);
		buf_append_byte(&full, 0);
		good = good && bench_file(r, ecc, (const char *)full.data, &mean);
		buf_clear(&full);
		free(entries[i]);
	}
	free(entries);
	if (mean.count) {
		double speed = exp(mean.log_sum / mean.count);

		bench_report_row(r, "geometric mean", "Mgas/s",
				 (struct bench_figure){ speed, speed, speed });
	}
	return good;
}

static bool bench_path(struct bench_report *r, const struct ecc *ecc, const char *path)
{
	struct mean mean = { 0 };
	struct dirent **entries;
	struct stat st;
	bool good;
	int count;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return bench_file(r, ecc, path, &mean);
	good = bench_files(r, ecc, path);
	count = good ? scandir(path, &entries, is_folder, alphasort) : 0;
	for (int i = 0; i < count; i++) {
		struct buf full = { 0 };

		buf_printf(&full, "%s/%s", path, entries[i]->d_name);
		buf_append_byte(&full, 0);
		good = good && bench_files(r, ecc, (const char *)full.data);
		buf_clear(&full);
		free(entries[i]);
	}
	if (count > 0)
		free(entries);
	if (!good)
		fprintf(stderr, "weft-bench: %s can't be read\n", path);
	return good;
}

int bench_evm(int argc, char **argv)
{
	static const uint8_t seed[32] = { 1 };
	struct bench_report r;
	int status = bench_report_begin_path(
		&r, argc, argv, "evm",
		"Runs the programs of a state-test file, or of a folder's and its folders', on one core.");
	struct ecc *ecc;
	bool good;

	if (status >= 0)
		return status;
	r.cpu_time = true;
	ecc = ecc_new(seed);
	good = bench_path(&r, ecc, r.path);
	ecc_free(ecc);
	status = bench_report_end(&r);
	return good ? status : BENCH_EXIT_FAILURE;
}
