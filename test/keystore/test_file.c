#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "keystore/keystore.h"

/* A directory of its own for every test, gone at its end. */
static char root[64], dir[80];

static void setup(void)
{
	strcpy(root, "/tmp/weft-test-XXXXXX");
	cr_assert(mkdtemp(root));
	snprintf(dir, sizeof(dir), "%s/keystore", root);
}

static void remove_files(const char *path)
{
	DIR *open = opendir(path);
	struct dirent *entry;
	char name[512];

	if (!open)
		return;
	while ((entry = readdir(open))) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)(unlink(name) && rmdir(name));
	}
	closedir(open);
}

static void teardown(void)
{
	remove_files(dir);
	remove_files(root);
	rmdir(root);
}

TestSuite(keystore_file, .init = setup, .fini = teardown);

static struct addr some_address(uint8_t last)
{
	struct addr a;

	memset(a.bytes, 0xab, sizeof(a.bytes));
	a.bytes[19] = last;
	return a;
}

static void write_plain(const char *name, const char *text, mode_t mode)
{
	char path[512];
	FILE *file;

	mkdir(dir, 0700);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	cr_assert(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(path, mode), 0);
}

static mode_t mode_of(const char *name)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(stat(path, &st), 0);
	return st.st_mode & 0777;
}

static unsigned count_entries(void)
{
	DIR *open = opendir(dir);
	unsigned count = 0;

	cr_assert(open);
	while (readdir(open))
		count++;
	closedir(open);
	return count - 2;
}

Test(keystore_file, name_is_as_geth_names_it)
{
	struct addr a = some_address(0x01);
	char name[KEYSTORE_NAME_SIZE];

	keystore_name(name, &a, 1458651496052);
	cr_assert_str_eq(name, "UTC--2016-03-22T12-58-16.052000000Z--"
			       "ababababababababababababababababababab01");
	keystore_name(name, &a, 0);
	cr_assert_str_eq(name, "UTC--1970-01-01T00-00-00.000000000Z--"
			       "ababababababababababababababababababab01");
	keystore_name(name, &a, UINT64_MAX);
	cr_assert_lt(strlen(name), KEYSTORE_NAME_SIZE);
}

Test(keystore_file, write_then_find_gives_the_text)
{
	struct addr a = some_address(1), b = some_address(2);
	char name[KEYSTORE_NAME_SIZE];
	struct buf text = { 0 };
	struct err err;

	keystore_name(name, &a, 1000);
	cr_assert_eq(keystore_write(dir, name, bytes_of_str("{\"x\":1}"), &err), OK, "%s",
		     err.message);
	cr_assert_eq(mode_of(""), 0700);
	cr_assert_eq(mode_of(name), 0600);
	cr_assert_eq(count_entries(), 1, "no temporary file is left");
	cr_assert_eq(keystore_find(dir, &a, &text, NULL), OK);
	cr_assert(bytes_equal(buf_bytes(&text), bytes_of_str("{\"x\":1}")));
	cr_assert_eq(keystore_find(dir, &b, &text, &err), KEYSTORE_E_FILE);
	cr_assert(strstr(err.message, "0xabab"));
	cr_assert_eq(text.size, 7);
	buf_clear(&text);
}

Test(keystore_file, write_keeps_modes_under_any_umask)
{
	struct addr a = some_address(1);
	char name[KEYSTORE_NAME_SIZE];
	mode_t old = umask(0);

	keystore_name(name, &a, 1000);
	cr_assert_eq(keystore_write(dir, name, bytes_of_str("x"), NULL), OK);
	umask(old);
	cr_assert_eq(mode_of(""), 0700);
	cr_assert_eq(mode_of(name), 0600);
}

Test(keystore_file, write_refuses_an_address_that_is_there)
{
	struct addr a = some_address(1);
	char first[KEYSTORE_NAME_SIZE], second[KEYSTORE_NAME_SIZE];
	struct buf text = { 0 };
	struct err err;

	keystore_name(first, &a, 1000);
	keystore_name(second, &a, 2000);
	cr_assert_eq(keystore_write(dir, first, bytes_of_str("1"), NULL), OK);
	cr_assert_eq(keystore_write(dir, second, bytes_of_str("2"), &err), KEYSTORE_E_EXISTS);
	cr_assert(strstr(err.message, first));
	cr_assert_eq(keystore_write(dir, first, bytes_of_str("2"), NULL), KEYSTORE_E_EXISTS);
	cr_assert_eq(count_entries(), 1);
	cr_assert_eq(keystore_find(dir, &a, &text, NULL), OK);
	cr_assert(bytes_equal(buf_bytes(&text), bytes_of_str("1")));
	buf_clear(&text);
}

/* Also where the file has a name of its own and only says its address. */
Test(keystore_file, write_and_find_see_addresses_inside_files)
{
	struct addr a = some_address(1);
	char name[KEYSTORE_NAME_SIZE];
	struct buf text = { 0 };

	write_plain("my key.json", "{\"address\":\"ababababababababababababababababababab01\"}",
		    0600);
	keystore_name(name, &a, 1000);
	cr_assert_eq(keystore_write(dir, name, bytes_of_str("2"), NULL), KEYSTORE_E_EXISTS);
	cr_assert_eq(keystore_find(dir, &a, &text, NULL), OK);
	buf_clear(&text);
}

Test(keystore_file, write_refuses_names_without_address_or_with_paths)
{
	static const char *const names[] = {
		"", "key", "../UTC--x--ababababababababababababababababababab01", "/etc/passwd",
		".UTC--ababababababababababababababababababab01", "UTC--x--abab",
		"UTC-ababababababababababababababababababab01",
	};
	size_t i;

	for (i = 0; i < ARRAY_COUNT(names); i++)
		cr_assert_eq(keystore_write(dir, names[i], bytes_of_str("x"), NULL),
			     KEYSTORE_E_FILE, "'%s'", names[i]);
}

Test(keystore_file, write_refuses_a_directory_that_others_may_write)
{
	struct addr a = some_address(1);
	char name[KEYSTORE_NAME_SIZE];
	struct err err;

	keystore_name(name, &a, 1000);
	cr_assert_eq(mkdir(dir, 0700), 0);
	cr_assert_eq(chmod(dir, 0777), 0);
	cr_assert_eq(keystore_write(dir, name, bytes_of_str("x"), &err), KEYSTORE_E_FILE);
	cr_assert(strstr(err.message, "chmod 700"));
	cr_assert_eq(count_entries(), 0);
	cr_assert_eq(chmod(dir, 0755), 0);
	cr_assert_eq(keystore_write(dir, name, bytes_of_str("x"), &err), OK, "reading is harmless");
}

/* A first account's keystore stands in a data directory that is not there yet. */
Test(keystore_file, write_makes_the_directory_and_the_one_above)
{
	struct addr a = some_address(1);
	char name[KEYSTORE_NAME_SIZE], path[512];
	struct stat st;

	keystore_name(name, &a, 1000);
	snprintf(path, sizeof(path), "%s/fresh/keystore", root);
	cr_assert_eq(keystore_write(path, name, bytes_of_str("x"), NULL), OK);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/fresh", root);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
}

Test(keystore_file, write_fails_below_a_missing_or_plain_parent)
{
	struct addr a = some_address(1);
	char name[KEYSTORE_NAME_SIZE], path[512];
	struct err err;

	keystore_name(name, &a, 1000);
	snprintf(path, sizeof(path), "%s/missing/missing/keystore", root);
	cr_assert_eq(keystore_write(path, name, bytes_of_str("x"), &err), KEYSTORE_E_FILE);
	write_plain("file", "x", 0600);
	snprintf(path, sizeof(path), "%s/file", dir);
	cr_assert_eq(keystore_write(path, name, bytes_of_str("x"), &err), KEYSTORE_E_FILE);
}

/* A full disk, played by a limit on the size of files. */
Test(keystore_file, write_that_fails_leaves_nothing)
{
	struct addr a = some_address(1);
	char name[KEYSTORE_NAME_SIZE];
	struct rlimit old, tiny;
	struct err err;
	int code;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	tiny = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	keystore_name(name, &a, 1000);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tiny), 0);
	code = keystore_write(dir, name, bytes_of_str("longer than that"), &err);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	cr_assert_eq(code, KEYSTORE_E_FILE);
	cr_assert_eq(count_entries(), 0);
	cr_assert_eq(keystore_write(dir, name, bytes_of_str("longer than that"), NULL), OK);
}

Test(keystore_file, read_refuses_loose_permissions)
{
	static const mode_t loose[] = { 0644, 0640, 0604, 0620, 0602, 0610, 0601, 0666, 0777 };
	struct addr a = some_address(1);
	struct buf text = { 0 };
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(loose); i++) {
		write_plain("UTC--x--ababababababababababababababababababab01", "{}", loose[i]);
		cr_assert_eq(keystore_find(dir, &a, &text, &err), KEYSTORE_E_FILE, "mode %o",
			     loose[i]);
		cr_assert(strstr(err.message, "chmod 600"));
		cr_assert_eq(text.size, 0);
	}
	write_plain("UTC--x--ababababababababababababababababababab01", "{}", 0400);
	cr_assert_eq(keystore_find(dir, &a, &text, &err), OK);
	buf_clear(&text);
}

Test(keystore_file, read_bounds_size_and_kind)
{
	struct buf big = { 0 }, text = { 0 };
	char path[512];
	struct err err;

	memset(buf_extend(&big, LIMIT_KEYSTORE_SIZE), 'x', LIMIT_KEYSTORE_SIZE);
	buf_append(&big, "", 1);
	write_plain("big", (const char *)big.data, 0600);
	snprintf(path, sizeof(path), "%s/big", dir);
	cr_assert_eq(keystore_read(path, &text, NULL), OK, "exactly the limit");
	cr_assert_eq(text.size, LIMIT_KEYSTORE_SIZE);
	buf_reset(&text);
	big.data[LIMIT_KEYSTORE_SIZE] = 'x';
	buf_append(&big, "", 1);
	write_plain("big", (const char *)big.data, 0600);
	cr_assert_eq(keystore_read(path, &text, &err), KEYSTORE_E_FILE, "one more");
	cr_assert_eq(text.size, 0);
	cr_assert_eq(keystore_read(dir, &text, &err), KEYSTORE_E_FILE, "a directory");
	snprintf(path, sizeof(path), "%s/fifo", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(keystore_read(path, &text, &err), KEYSTORE_E_FILE, "a pipe, without waiting");
	snprintf(path, sizeof(path), "%s/nothing", dir);
	cr_assert_eq(keystore_read(path, &text, &err), KEYSTORE_E_FILE);
	buf_clear(&big);
	buf_clear(&text);
}

Test(keystore_file, list_is_sorted_without_repeats_and_bounded)
{
	struct addr list[8], want;
	size_t count = 99;
	uint8_t i;

	cr_assert_eq(keystore_list(dir, list, 8, &count, NULL), OK, "no directory");
	cr_assert_eq(count, 0);
	write_plain("UTC--1--ababababababababababababababababababab03", "", 0600);
	write_plain("UTC--2--ABABABABABABABABABABABABABABABABABABAB01", "", 0644);
	write_plain("UTC--3--ababababababababababababababababababab03", "", 0600);
	write_plain("UTC--4--ababababababababababababababababababab02.json", "", 0600);
	write_plain("inside", "{\"address\":\"0xababababababababababababababababababab04\"}", 0600);
	write_plain(".hidden--ababababababababababababababababababab05", "", 0600);
	write_plain("README", "not a key", 0600);
	write_plain("bad.json", "{\"address\":\"zz\"}", 0600);
	cr_assert_eq(keystore_list(dir, list, 8, &count, NULL), OK);
	cr_assert_eq(count, 4);
	for (i = 0; i < 4; i++) {
		want = some_address(i + 1);
		cr_assert(addr_equal(&list[i], &want));
	}
	cr_assert_eq(keystore_list(dir, list, 2, &count, NULL), OK);
	cr_assert_eq(count, 2);
	cr_assert_eq(keystore_list(dir, list, 0, &count, NULL), OK);
	cr_assert_eq(count, 0);
}
