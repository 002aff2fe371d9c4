#include "daemon/control_msg.h"

#include <jansson.h>
#include <stddef.h>

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_FLAG };

#define TEXT(member) KEY_TEXT, offsetof(struct control_request, member), sizeof(((struct control_request *)0)->member)
#define NUMBER(member) KEY_NUMBER, offsetof(struct control_request, member), 0
#define FLAG(member) KEY_FLAG, offsetof(struct control_request, member), 0

static const struct key {
	const char *name;
	enum key_type type;
	size_t at, size;
} keys[] = {
	{ "cmd", TEXT(cmd) },	    { "id", NUMBER(id) },	  { "child_id", NUMBER(child_id) },
	{ "conn", TEXT(conn) },	    { "pool", TEXT(pool) },	  { "level", TEXT(level) },
	{ "peer", TEXT(peer) },	    { "reason", TEXT(reason) },	  { "all", FLAG(all) },
	{ "child", FLAG(child) },   { "dry_run", FLAG(dry_run) }, { "for", TEXT(time) },
	{ "repair", FLAG(repair) }, { "yes", FLAG(yes) },
};

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static enum gw_err take_text(const struct key *k, const json_t *v, char *at, struct err *e)
{
	size_t n;

	if (!json_is_string(v))
		return err_set(e, GW_EINVAL, "`%s` must be a string", k->name);
	n = json_string_length(v);
	if (n == 0)
		return err_set(e, GW_EINVAL, "`%s` is empty", k->name);
	if (n >= k->size)
		return err_set(e, GW_EINVAL, "`%s` is longer than %zu octets", k->name, k->size - 1);
	memcpy(at, json_string_value(v), n + 1);
	return GW_OK;
}

static enum gw_err take(const struct key *k, const json_t *v, struct control_request *out, struct err *e)
{
	char *at = (char *)out + k->at;
	uint32_t number;
	bool flag;

	switch (k->type) {
	case KEY_TEXT:
		return take_text(k, v, at, e);
	case KEY_NUMBER:
		/* 0 stands for "not given" inside: as a number from outside it would select everything. */
		if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > UINT32_MAX)
			return err_set(e, GW_EINVAL, "`%s` must be a number from 1 to %lu", k->name,
				       (unsigned long)UINT32_MAX);
		number = (uint32_t)json_integer_value(v);
		memcpy(at, &number, sizeof(number));
		return GW_OK;
	case KEY_FLAG:
		if (!json_is_boolean(v))
			return err_set(e, GW_EINVAL, "`%s` must be true or false", k->name);
		flag = json_is_true(v);
		memcpy(at, &flag, sizeof(flag));
		return GW_OK;
	}
	return err_set(e, GW_EINTERNAL, "no such type");
}

static enum gw_err take_all(json_t *root, struct control_request *out, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach(root, name, v)
	{
		const struct key *k = key_find(name);

		if (!k)
			return err_set(e, GW_EINVAL, "unknown key `%.40s`", name);
		TRY(take(k, v, out, e));
	}
	if (!out->cmd[0])
		return err_set(e, GW_EINVAL, "`cmd` is missing");
	return GW_OK;
}

enum gw_err control_request_parse(struct bytes line, struct control_request *out, struct err *e)
{
	json_error_t why;
	json_t *root;
	enum gw_err r;

	memset(out, 0, sizeof(*out));
	if (line.n >= CONTROL_LINE_MAX)
		return err_set(e, GW_EMALFORMED, "a request has at most %d octets", CONTROL_LINE_MAX - 1);
	root = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(e, GW_EMALFORMED, "a request is one JSON object on one line%s%s", root ? "" : ": ",
			       root ? "" : why.text);
	}
	r = take_all(root, out, e);
	json_decref(root);
	return r;
}

bool control_request_unselective(const struct control_request *r)
{
	return r->id == 0 && r->child_id == 0 && !r->conn[0] && !r->peer[0] && !r->all;
}

const char *control_error_code(enum gw_err code)
{
	switch (code) {
	case GW_ENOTFOUND:
		return "not-found";
	case GW_EPERM:
		return "not-permitted";
	case GW_EMALFORMED:
	case GW_EINVAL:
	case GW_EUNSUPPORTED:
		return "bad-request";
	case GW_EBUSY:
	case GW_ELIMIT:
		return "busy";
	case GW_ECONFIG:
		return "config-invalid";
	default:
		return "failed";
	}
}
