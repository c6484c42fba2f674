#include "app/password.h"

#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "app/files.h"
#include "app/options.h"
#include "crypto/ecc.h"

void password_clear(struct buf *password)
{
	if (password->data)
		crypto_wipe(password->data, password->capacity);
	buf_clear(password);
}

static void cut_line(struct buf *line)
{
	const uint8_t *end = line->size ? memchr(line->data, '\n', line->size) : NULL;

	if (end)
		line->size = (size_t)(end - line->data);
	if (line->size && line->data[line->size - 1] == '\r')
		line->size--;
}

/* One line from the terminal, without echo. */
static int ask(struct buf *out, const char *prompt, struct err *err)
{
	struct termios saved, quiet;
	FILE *terminal = fopen("/dev/tty", "r+");
	bool is_good;

	if (!terminal || tcgetattr(fileno(terminal), &saved) != 0) {
		if (terminal)
			fclose(terminal);
		return ERR_SET(err, APP_E_USAGE, "a password is needed and there is no terminal to ask on: give "
			       "--password-file FILE, or set WEFT_PASSWORD");
	}
	quiet = saved;
	quiet.c_lflag &= (tcflag_t)~ECHO;
	tcsetattr(fileno(terminal), TCSAFLUSH, &quiet);
	fputs(prompt, terminal);
	fflush(terminal);
	buf_reset(out);
	is_good = fgets((char *)buf_extend(out, PASSWORD_SIZE_MAX), PASSWORD_SIZE_MAX, terminal) != NULL;
	tcsetattr(fileno(terminal), TCSAFLUSH, &saved);
	fputc('\n', terminal);
	fclose(terminal);
	if (!is_good)
		return ERR_SET(err, APP_E_USAGE, "no password was given");
	out->size = strlen((const char *)out->data);
	cut_line(out);
	return OK;
}

static int ask_twice(struct buf *out, const char *prompt, struct err *err)
{
	struct buf again = { 0 };
	int code = ask(out, prompt, err);

	if (code == OK)
		code = ask(&again, "The same again: ", err);
	if (code == OK && !bytes_equal(buf_bytes(out), buf_bytes(&again)))
		code = ERR_SET(err, APP_E_USAGE, "the two passwords differ");
	password_clear(&again);
	return code;
}

int password_read(struct buf *out, const char *file, const char *prompt, bool is_new, struct err *err)
{
	const char *from_environment = getenv("WEFT_PASSWORD");
	int code = OK;

	buf_reset(out);
	buf_reserve(out, PASSWORD_SIZE_MAX); /* once, so that no copy is left behind by growing */
	if (file) {
		code = file_read(file, out, PASSWORD_SIZE_MAX, err);
		cut_line(out);
	} else if (from_environment) {
		buf_append_bytes(out, bytes_of_str(from_environment));
	} else {
		code = is_new ? ask_twice(out, prompt, err) : ask(out, prompt, err);
	}
	return code;
}
