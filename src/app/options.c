#include "app/options.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>

#include "base/check.h"

static void *member(void *target, const struct option *o)
{
	return (uint8_t *)target + o->offset;
}

static const struct option *find(const struct option_table *table, struct bytes name)
{
	for (size_t i = 0; i < table->count; i++)
		if (bytes_equal(bytes_of_str(table->options[i].name), name))
			return &table->options[i];
	return NULL;
}

static int set_number(const struct option *o, uint64_t *out, const char *value, struct err *err)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno || v < o->min || v > o->max)
		return ERR_SET(err, APP_E_USAGE, "%s takes a whole number from %llu to %llu, not \"%s\"", o->name,
			       (unsigned long long)o->min, (unsigned long long)o->max, value);
	*out = v;
	return OK;
}

static int set_list(const struct option *o, struct option_list *list, const char *value, struct err *err)
{
	if (list->count == OPTION_LIST_MAX)
		return ERR_SET(err, APP_E_USAGE, "%s may be given at most %d times", o->name, OPTION_LIST_MAX);
	list->items[list->count++] = value;
	return OK;
}

static int set_flag(const struct option *o, bool *out, const char *value, struct err *err)
{
	if (!value || strcmp(value, "true") == 0)
		*out = true;
	else if (strcmp(value, "false") == 0)
		*out = false;
	else
		return ERR_SET(err, APP_E_USAGE, "%s is true or false, not \"%s\"", o->name, value);
	return OK;
}

/* `value` is NULL only for a flag that stands alone. */
static int set(const struct option *o, void *target, const char *value, struct err *err)
{
	switch (o->kind) {
	case OPTION_FLAG:
		return set_flag(o, member(target, o), value, err);
	case OPTION_TEXT:
		*(const char **)member(target, o) = value;
		return OK;
	case OPTION_NUMBER:
		return set_number(o, member(target, o), value, err);
	case OPTION_LIST:
		return set_list(o, member(target, o), value, err);
	}
	UNREACHABLE();
}

int options_parse_arguments(const struct option_table *table, void *target, struct options_seen *seen,
			    int argc, char **argv, const char *words[], size_t words_max,
			    size_t *word_count, struct err *err)
{
	bool is_end = false;

	CHECK(table->count <= OPTION_TABLE_MAX);
	*word_count = 0;
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value = NULL;
		const struct option *o;
		struct bytes name;
		int code;

		/* Behind a "--" all are words. */
		if (strcmp(arg, "--") == 0 && !is_end) {
			is_end = true;
			continue;
		}
		if (is_end || strncmp(arg, "--", 2) != 0) {
			if (*word_count == words_max)
				return ERR_SET(err, APP_E_USAGE, "\"%s\" is one word too many", arg);
			words[(*word_count)++] = arg;
			continue;
		}
		value = strchr(arg, '=');
		name = bytes_of(arg + 2, value ? (size_t)(value - arg - 2) : strlen(arg + 2));
		o = find(table, name);
		if (!o)
			return ERR_SET(err, APP_E_USAGE, "there is no option %.*s", (int)name.size + 2, arg);
		if (value)
			value++;
		else if (o->kind != OPTION_FLAG && ++i == argc)
			return ERR_SET(err, APP_E_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->value_name);
		else if (o->kind != OPTION_FLAG)
			value = argv[i];
		if (seen->by_index[o - table->options] && o->kind != OPTION_LIST)
			return ERR_SET(err, APP_E_USAGE, "--%s is given twice", o->name);
		code = set(o, target, value, err);
		if (code != OK)
			return err_prefix(err, code, "--%s", o->name);
		seen->by_index[o - table->options] = true;
	}
	return OK;
}

struct file_reader {
	const struct option_table *table;
	const struct options_seen *seen;
	struct options_seen in_file;
	void *target;
	const char *path;
	int code;
	struct err *err;
};

/* inih's callback: 1 goes on, 0 stops at this line. */
static int on_line(void *ctx, const char *section, const char *name, const char *value)
{
	struct file_reader *r = ctx;
	const struct option *o = find(r->table, bytes_of_str(name));
	size_t index;

	(void)section;
	if (!o || o->only_command_line) {
		r->code = ERR_SET(r->err, APP_E_USAGE, "%s: there is no option %s", r->path, name);
		return 0;
	}
	index = (size_t)(o - r->table->options);
	if (r->in_file.by_index[index] && o->kind != OPTION_LIST) {
		r->code = ERR_SET(r->err, APP_E_USAGE, "%s: %s is given twice", r->path, name);
		return 0;
	}
	r->in_file.by_index[index] = true;
	if (r->seen->by_index[index])
		return 1; /* the command line wins */
	r->code = set(o, r->target, xstrdup(value), r->err);
	if (r->code != OK)
		err_prefix(r->err, r->code, "%s", r->path);
	return r->code == OK;
}

int options_parse_file(const struct option_table *table, void *target, const struct options_seen *seen,
		       const char *path, struct err *err)
{
	struct file_reader r = { .table = table, .seen = seen, .target = target, .path = path, .err = err };
	int line = ini_parse(path, on_line, &r);

	if (line == -1)
		return ERR_SET(err, APP_E_FILE, "%s can't be read: %s", path, strerror(errno));
	if (r.code != OK)
		return r.code;
	if (line > 0)
		return ERR_SET(err, APP_E_USAGE, "%s: line %d is not \"name = value\"", path, line);
	return OK;
}

bool options_given(const struct option_table *table, const struct options_seen *seen, const char *name)
{
	const struct option *o = find(table, bytes_of_str(name));

	CHECK(o);
	return seen->by_index[o - table->options];
}

static void print_default(FILE *out, const struct option *o, const void *defaults)
{
	const void *at = (const uint8_t *)defaults + o->offset;

	switch (o->kind) {
	case OPTION_NUMBER:
		fprintf(out, " (default %llu)", (unsigned long long)*(const uint64_t *)at);
		return;
	case OPTION_TEXT:
		if (*(const char *const *)at)
			fprintf(out, " (default %s)", *(const char *const *)at);
		return;
	case OPTION_FLAG:
	case OPTION_LIST:
		return;
	}
	UNREACHABLE();
}

void options_print(FILE *out, const struct option_table *table, const void *defaults)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option *o = &table->options[i];
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value_name ? " " : "",
			 o->value_name ? o->value_name : "");
		fprintf(out, "  %-28s %s", left, o->help);
		print_default(out, o, defaults);
		fputc('\n', out);
	}
}
