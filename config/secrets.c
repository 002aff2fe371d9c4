#include "config/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_FILE_MAX = 64 * 1024, SECRET_WEAK = 8 };

const char *source_getenv(const struct config_sources *src, const char *name)
{
	return src && src->getenv ? src->getenv(src->arg, name) : getenv(name);
}

static enum gw_err read_all(int fd, size_t size, struct secret *out, struct err *e)
{
	size_t n = 0;
	WIPED struct secret buf = { 0 };

	/* One octet more than it has: a file that grows under us is seen. */
	if (secret_alloc(&buf, size + 1) != GW_OK)
		return err_set(e, GW_ENOMEM, "out of memory");
	while (n < buf.n) {
		ssize_t got = read(fd, buf.p + n, buf.n - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, GW_EIO, "%s", strerror(errno));
		if (got == 0)
			break;
		n += (size_t)got;
	}
	if (n > size)
		return err_set(e, GW_EIO, "changes while it is read");
	if (secret_copy(out, bytes_of(buf.p, n)) != GW_OK)
		return err_set(e, GW_ENOMEM, "out of memory");
	return GW_OK;
}

/* The permissions are those of the file that is read, not of a name that may point elsewhere by then. */
static enum gw_err read_open(int fd, enum source_kind kind, struct secret *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, GW_EIO, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, GW_EPERM, "is not a plain file");
	if (st.st_mode & (kind == SOURCE_SECRET ? S_IROTH | S_IWOTH : S_IWOTH))
		return err_set(e, GW_EPERM, "others may %s it (mode %04o); chmod %s it",
			       kind == SOURCE_SECRET ? "read or write" : "write", st.st_mode & 07777,
			       kind == SOURCE_SECRET ? "o-rwx" : "o-w");
	if (st.st_size > SECRET_FILE_MAX)
		return err_set(e, GW_ELIMIT, "is larger than %d octets", SECRET_FILE_MAX);
	return read_all(fd, (size_t)st.st_size, out, e);
}

enum gw_err source_file(const struct config_sources *src, const char *path, enum source_kind kind, struct secret *out,
			struct err *e)
{
	enum gw_err r;
	int fd;

	if (src && src->read_file && kind == SOURCE_PUBLIC)
		return src->read_file(src->arg, path, out, e);
	if (src && src->read_secret)
		return src->read_secret(src->arg, path, out, e);
	/* Not blocking: a FIFO must not hang the daemon. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, GW_EIO, "%s", strerror(errno));
	r = read_open(fd, kind, out, e);
	(void)close(fd);
	return r;
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static int base64_digit(uint8_t c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'	      ? 62
	       : c == '/'	      ? 63
				      : -1;
}

static enum gw_err decode_hex(struct bytes b, struct secret *out, struct err *e)
{
	if (b.n == 0 || b.n % 2 != 0)
		return err_set(e, GW_ECONFIG, "0x wants an even number of hex digits behind it");
	if (secret_alloc(out, b.n / 2) != GW_OK)
		return err_set(e, GW_ENOMEM, "out of memory");
	for (size_t i = 0; i < b.n; i++) {
		int d = hex_digit(b.p[i]);

		if (d < 0) {
			secret_clear(out);
			return err_set(e, GW_ECONFIG, "0x wants hex digits behind it");
		}
		out->p[i / 2] = (uint8_t)(out->p[i / 2] << 4 | d);
	}
	return GW_OK;
}

static enum gw_err decode_base64(struct bytes b, struct secret *out, struct err *e)
{
	size_t n = b.n, at = 0;
	uint32_t bits = 0;

	while (n > 0 && b.n - n < 2 && b.p[n - 1] == '=')
		n--;
	/* Padding may be left out; where it stands it must be right. */
	if (n == 0 || n % 4 == 1 || (n != b.n && b.n % 4 != 0))
		return err_set(e, GW_ECONFIG, "0s wants base64 behind it");
	if (secret_alloc(out, n * 3 / 4) != GW_OK)
		return err_set(e, GW_ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		int d = base64_digit(b.p[i]);

		if (d < 0) {
			secret_clear(out);
			return err_set(e, GW_ECONFIG, "0s wants base64 behind it");
		}
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 != 0)
			out->p[at++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	return GW_OK;
}

enum gw_err secret_decode(struct bytes text, struct secret *out, struct err *e)
{
	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	if (text.n == 0)
		return err_set(e, GW_ECONFIG, "is empty");
	if (text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x')
		return decode_hex(bytes_of(text.p + 2, text.n - 2), out, e);
	if (text.n >= 2 && text.p[0] == '0' && text.p[1] == 's')
		return decode_base64(bytes_of(text.p + 2, text.n - 2), out, e);
	if (secret_copy(out, text) != GW_OK)
		return err_set(e, GW_ENOMEM, "out of memory");
	return GW_OK;
}

static enum gw_err fetch_file(struct load *l, const char *name, struct secret *out, struct err *e)
{
	char *path = reader_path(l, name);
	enum gw_err r;

	if (!path)
		return err_set(e, GW_ENOMEM, "out of memory");
	r = source_file(l->src, path, SOURCE_SECRET, out, e);
	free(path);
	return r;
}

static enum gw_err fetch_env(struct load *l, const char *name, struct secret *out, struct err *e)
{
	const char *value = source_getenv(l->src, name);

	if (!value)
		return err_set(e, GW_ENOTFOUND, "the environment has no such variable");
	if (secret_copy(out, bytes_str(value)) != GW_OK)
		return err_set(e, GW_ENOMEM, "out of memory");
	return GW_OK;
}

/* {file: path} or {env: NAME}: its content as it is in *raw. */
static bool fetch(struct load *l, const struct schema_key *k, const struct yaml_node *n, struct secret *raw)
{
	const struct yaml_node *where = n->first;
	struct err e = { 0 };
	enum gw_err r;
	bool file;

	if (n->kind != YAML_MAP || n->count != 1 ||
	    (strcmp(where->key, "file") != 0 && strcmp(where->key, "env") != 0)) {
		report_error(l->report, n->at, "`%s` is text, {file: path} or {env: NAME}", k->name);
		return false;
	}
	file = strcmp(where->key, "file") == 0;
	if (where->kind != YAML_SCALAR || yaml_tree_is_null(where) || where->text[0] == 0) {
		report_error(l->report, where->at, "`%s` wants %s", where->key,
			     file ? "a path" : "the name of a variable");
		return false;
	}
	r = file ? fetch_file(l, where->text, raw, &e) : fetch_env(l, where->text, raw, &e);
	if (r != GW_OK)
		report_error(l->report, where->at, "`%s`: %.200s: %s", k->name, where->text,
			     e.text[0] ? e.text : gw_err_text(r));
	return r == GW_OK;
}

bool secret_read(struct load *l, const struct schema_key *k, const struct yaml_node *n, void *at)
{
	WIPED struct secret raw = { 0 };
	WIPED struct secret value = { 0 };
	struct err e = { 0 };
	struct bytes text;

	if (n->kind == YAML_SCALAR) {
		if (l->world_readable)
			report_warning(l->report, n->at,
				       "`%s` stands in a file that others may read; chmod o-rwx it or use {file: path}",
				       k->name);
		text = bytes_str(n->text);
	} else if (fetch(l, k, n, &raw)) {
		text = secret_bytes(&raw);
	} else {
		return false;
	}
	if (secret_decode(text, &value, &e) != GW_OK) {
		report_error(l->report, n->at, "`%s`: %s", k->name, e.text);
		return false;
	}
	/* RFC 7296 2.15: a shared secret that can be guessed is open to attacks off line. */
	if (value.n < SECRET_WEAK)
		report_warning(l->report, n->at, "`%s` has %zu octets only: easily guessed", k->name, value.n);
	secret_move(at, &value);
	return true;
}
