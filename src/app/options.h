/*
 * options - flags on the command line and the same names in an INI file, from one
 * table, which also writes --help.
 *
 *     --http-port 8545      --http-port=8545      INI:  http-port = 8545
 *     --dev                                       INI:  dev = true
 *
 * The command line wins over the file, the file over the default. An unknown
 * name, a missing or malformed value, and a name given twice are refused; the
 * message says where.
 */
#ifndef WEFT_APP_OPTIONS_H
#define WEFT_APP_OPTIONS_H

#include <stdio.h>

#include "base/err.h"
#include "base/bytes.h"

enum app_error {
	APP_E_USAGE = ERR_BASE_APP, /* exit code 2 */
	APP_E_FILE,                 /* a file that can't be read or written */
	APP_E_REFUSED,              /* data that is refused: exit code 3 */
	APP_E_REVERTED,             /* a contract that fails: exit code 1 */
};

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char * */
	OPTION_NUMBER, /* uint64_t within [min, max] */
	OPTION_LIST,   /* struct option_list: may be given several times */
};

#define OPTION_LIST_MAX 256
struct option_list {
	size_t count;
	const char *items[OPTION_LIST_MAX];
};

struct option {
	const char *name;       /* without dashes */
	enum option_kind kind;
	size_t offset;          /* of the member in the options struct */
	const char *value_name; /* for --help; NULL for a flag */
	const char *help;       /* one line; the default is the struct's initial value */
	uint64_t min, max;      /* OPTION_NUMBER */
	bool only_command_line; /* such as --config and --help */
};

struct option_table {
	const struct option *options;
	size_t count;
};

#define OPTION_TABLE_MAX 64

/* Which options have a value already, so that the file does not override them. */
struct options_seen {
	bool by_index[OPTION_TABLE_MAX];
};

/* Reads argv[1…]; words that are no option go to `words`, at most `words_max`; behind
 * "--" all are words.
 * Texts point into argv. APP_E_USAGE names the argument. */
int options_parse_arguments(const struct option_table *table, void *target, struct options_seen *seen,
			    int argc, char **argv, const char *words[], size_t words_max,
			    size_t *word_count, struct err *err);

/* Reads an INI file (sections are allowed and ignored); texts are copied and live
 * as long as the program. */
int options_parse_file(const struct option_table *table, void *target, const struct options_seen *seen,
		       const char *path, struct err *err);

/* True if `name` stood on the command line. */
bool options_given(const struct option_table *table, const struct options_seen *seen, const char *name);

/* The options part of --help. */
void options_print(FILE *out, const struct option_table *table, const void *defaults);

#endif
