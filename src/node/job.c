/* The writer's side: what a job puts on disk, in three steps, so that one sync
 * can serve several jobs. */
#include "node/internal.h"

#include <stdlib.h>

#include "base/check.h"

static struct store_block job_block(const struct node_job *job)
{
	return (struct store_block){
		.block = &job->result.block,
		.receipts = job->result.receipts,
		.certificate = buf_bytes(&job->payload),
		.diff = &job->result.diff,
		.epoch = job->result.next_epoch,
	};
}

int node_job_run(struct node_job *job, struct err *err)
{
	struct store_block block;

	switch (job->kind) {
	case NODE_JOB_RECORD:
		return store_consensus_append(job->store, NODE_RECORD_SIGNED, buf_bytes(&job->payload), err);
	case NODE_JOB_COMMIT:
		block = job_block(job);
		return store_log(job->store, &block, err);
	case NODE_JOB_FLUSH:
	case NODE_JOB_TRIM:
	case NODE_JOB_EVIDENCE:
		return OK; /* all of it comes after the sync */
	}
	UNREACHABLE();
}

size_t node_jobs_group(struct node_job *const jobs[], size_t count)
{
	bool has_other = false;

	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->kind == NODE_JOB_RECORD && has_other)
			return i;
		has_other |= jobs[i]->kind != NODE_JOB_RECORD;
	}
	return count;
}

void node_jobs_sync(struct node_job *const jobs[], size_t count)
{
	bool has_record = false, has_commit = false;

	for (size_t i = 0; i < count; i++) {
		has_record |= jobs[i]->kind == NODE_JOB_RECORD;
		has_commit |= jobs[i]->kind == NODE_JOB_COMMIT;
	}
	if (has_record)
		store_consensus_sync(jobs[0]->store);
	if (has_commit)
		store_log_sync(jobs[0]->store);
}

bool node_job_is_early(const struct node_job *job)
{
	return job->kind == NODE_JOB_RECORD;
}

static int finish_commit(struct node_job *job, struct err *err)
{
	struct store_block block = job_block(job);
	int code = store_apply(job->store, &block, err);

	if (code != OK)
		return code;
	job->head = node_head_new(store_reader_new(job->store), &job->parent, job->seed);
	return OK;
}

/* On a full disk the log stays as it is, and is trimmed another time. */
static int finish_trim(struct node_job *job, struct err *err)
{
	int code;

	/* Who signs nothing has no record to carry on. */
	if (job->payload.size == 0)
		return OK;
	code = store_consensus_trim(job->store, NODE_RECORD_SIGNED, buf_bytes(&job->payload), err);
	return code == STORE_E_WRITE ? OK : code;
}

static int finish_flush(struct node_job *job, struct err *err)
{
	int code = store_flush_write(job->store, job->flush, err);

	job->flush = NULL;
	return code == OK ? finish_trim(job, err) : code;
}

int node_job_finish(struct node_job *job, struct err *err)
{
	switch (job->kind) {
	case NODE_JOB_RECORD:
		return OK;
	case NODE_JOB_COMMIT:
		return finish_commit(job, err);
	case NODE_JOB_FLUSH:
		return finish_flush(job, err);
	case NODE_JOB_TRIM:
		return finish_trim(job, err);
	case NODE_JOB_EVIDENCE:
		return store_evidence_write(job->store, job->evidence, job->evidence_count, err);
	}
	UNREACHABLE();
}

void node_job_free(struct node_job *job)
{
	/* A flush that was not written stays the store's: the tree may still ask for its nodes. */
	exec_result_clear(&job->result);
	buf_clear(&job->payload);
	free(job->evidence);
	node_head_unref(job->head);
	free(job);
}
