#include "shim/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for one more item. */
static void *grown(void *array, size_t count, size_t *capacity, size_t item_size)
{
	if (count < *capacity)
		return array;
	*capacity = 2 * count + 16;
	array = realloc(array, *capacity * item_size);
	if (!array)
		abort();
	return array;
}

struct model_inode *model_inode(struct model *m, uint64_t ino)
{
	/* From the newest: what is written to is mostly young. */
	for (size_t i = m->inode_count; i-- > 0;)
		if (m->inodes[i].ino == ino)
			return &m->inodes[i];
	return NULL;
}

struct model_dir *model_dir(struct model *m, uint64_t ino)
{
	for (size_t i = 0; i < m->dir_count; i++)
		if (m->dirs[i].ino == ino)
			return &m->dirs[i];
	m->dirs = grown(m->dirs, m->dir_count, &m->dir_capacity, sizeof(m->dirs[0]));
	m->dirs[m->dir_count] = (struct model_dir){ .ino = ino };
	return &m->dirs[m->dir_count++];
}

/* A directory's number that is used again begins anew. */
static void forget_ops(struct model *m, uint64_t dir)
{
	struct model_dir *d = model_dir(m, dir);
	size_t kept = 0;

	if (!d->op_count)
		return;
	for (size_t i = 0; i < m->op_count; i++)
		if (m->ops[i].dir != dir)
			m->ops[kept++] = m->ops[i];
	m->op_count = kept;
	d->op_count = d->durable_count = 0;
}

static void set_inode(struct model *m, uint64_t ino, bool is_dir, uint64_t size)
{
	struct model_inode *i = model_inode(m, ino);

	if (!i) {
		m->inodes = grown(m->inodes, m->inode_count, &m->inode_capacity,
				  sizeof(m->inodes[0]));
		i = &m->inodes[m->inode_count++];
	}
	*i = (struct model_inode){ .ino = ino, .is_dir = is_dir, .size = size };
	if (is_dir)
		forget_ops(m, ino);
	if (!m->root)
		m->root = ino;
}

static void add_op(struct model *m, const struct model_op *op)
{
	m->ops = grown(m->ops, m->op_count, &m->op_capacity, sizeof(m->ops[0]));
	m->ops[m->op_count++] = *op;
	model_dir(m, op->dir)->op_count++;
}

bool model_apply(struct model *m, const char *line)
{
	struct model_op op = { 0 };
	struct model_inode *i;
	uint64_t ino, n;
	char d;

	if (sscanf(line, "N %" SCNu64 " %c", &ino, &d) == 2 && d == 'd') {
		set_inode(m, ino, true, 0);
	} else if (sscanf(line, "N %" SCNu64 " %" SCNu64, &ino, &n) == 2) {
		set_inode(m, ino, false, n);
	} else if (sscanf(line, "A %" SCNu64 " %127s %" SCNu64, &op.dir, op.name, &op.ino) == 3) {
		add_op(m, &op);
	} else if (sscanf(line, "R %" SCNu64 " %127s %127s %" SCNu64, &op.dir, op.old, op.name,
			  &op.ino) == 4) {
		add_op(m, &op);
	} else if (sscanf(line, "D %" SCNu64 " %" SCNu64, &ino, &n) == 2) {
		model_dir(m, ino)->durable_count = n;
	} else if (sscanf(line, "S %" SCNu64 " %" SCNu64, &ino, &n) == 2 &&
		   (i = model_inode(m, ino))) {
		i->size = n;
		i->copied = false;
	} else if (sscanf(line, "T %" SCNu64, &ino) == 1 && (i = model_inode(m, ino))) {
		i->copied = true;
	} else {
		return false;
	}
	return true;
}

uint64_t model_lookup(const struct model *m, uint64_t dir, const char *name, uint64_t count)
{
	uint64_t ino = 0, seen = 0;

	for (size_t i = 0; i < m->op_count && seen < count; i++) {
		const struct model_op *op = &m->ops[i];

		if (op->dir != dir)
			continue;
		seen++;
		if (strcmp(op->name, name) == 0)
			ino = op->ino;
		else if (op->old[0] && strcmp(op->old, name) == 0)
			ino = 0;
	}
	return ino;
}

void model_clear(struct model *m)
{
	free(m->inodes);
	free(m->ops);
	free(m->dirs);
	*m = (struct model){ 0 };
}
