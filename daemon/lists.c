#include "daemon/lists.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/crl.h"
#include "core/http.h"

enum { AT_ONCE = 4 };

/* As long as IKE_AUTH may wait for it, and clients for an answer. */
#define PATIENCE SECONDS(10)

struct slot {
	struct lists *lists;
	struct http_get *get; /* NULL: free */
	uint64_t token;
};

struct lists {
	struct loop *loop;
	struct ike *ike;
	struct slot slots[AT_ONCE];
};

struct lists *lists_create(struct loop *loop, struct ike *ike)
{
	struct lists *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->loop = loop;
	l->ike = ike;
	for (size_t i = 0; i < AT_ONCE; i++)
		l->slots[i].lists = l;
	return l;
}

void lists_destroy(struct lists *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (l->slots[i].get)
			http_cancel(l->slots[i].get);
	}
	free(l);
}

static void on_body(void *arg, enum gw_err result, struct bytes body, const char *text)
{
	struct slot *s = arg;

	s->get = NULL;
	ike_fetched(s->lists->ike, s->token, result, body, text);
	loop_again(s->lists->loop);
}

static enum gw_err read_whole(int fd, uint8_t **out, size_t *n, struct err *e)
{
	struct stat st;
	size_t got = 0;
	uint8_t *buf;

	if (fstat(fd, &st) < 0)
		return err_set(e, GW_EIO, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, GW_EINVAL, "is not a plain file");
	if (st.st_size > CRL_MAX)
		return err_set(e, GW_ELIMIT, "is larger than %d octets", CRL_MAX);
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		return err_set(e, GW_ENOMEM, "out of memory");
	while (got < (size_t)st.st_size) {
		ssize_t one = read(fd, buf + got, (size_t)st.st_size - got);

		if (one < 0 && errno == EINTR)
			continue;
		if (one <= 0) {
			(void)err_set(e, GW_EIO, "%s", one < 0 ? strerror(errno) : "changes while it is read");
			free(buf);
			return GW_EIO;
		}
		got += (size_t)one;
	}
	*out = buf;
	*n = got;
	return GW_OK;
}

static void read_file(struct lists *l, const struct ike_fetch *f)
{
	int fd = open(f->location, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct err e = { 0 };
	uint8_t *data = NULL;
	size_t n = 0;
	enum gw_err code = fd >= 0 ? read_whole(fd, &data, &n, &e) : err_set(&e, GW_EIO, "%s", strerror(errno));

	if (fd >= 0)
		(void)close(fd);
	ike_fetched(l->ike, f->token, code, bytes_of(data, n), e.text);
	loop_again(l->loop);
	free(data);
}

static void fetch(struct lists *l, struct slot *s, const struct ike_fetch *f)
{
	struct err e = { 0 };

	s->token = f->token;
	if (http_get(l->loop, f->location, CRL_MAX, PATIENCE, on_body, s, &s->get, &e) != GW_OK) {
		s->get = NULL;
		ike_fetched(l->ike, f->token, e.code, (struct bytes){ 0 }, e.text);
	}
}

static struct slot *free_slot(struct lists *l)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (!l->slots[i].get)
			return &l->slots[i];
	}
	return NULL;
}

void lists_serve(struct lists *l)
{
	struct ike_fetch f;
	struct slot *s;

	/* Without a free slot the rest stays with the engine until one is. */
	while ((s = free_slot(l)) && ike_take_fetch(l->ike, &f)) {
		if (strncmp(f.location, "http://", 7) == 0)
			fetch(l, s, &f);
		else
			read_file(l, &f);
	}
}
