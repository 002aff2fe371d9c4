#include "config/load.h"

#include "config/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_tree(struct load *l, struct bytes yaml)
{
	struct yaml_node *root = yaml_tree_parse(yaml, l->report);

	if (!root) {
		if (l->report->errors == 0)
			report_error(l->report, (struct mark){ 0, 0 }, "is empty");
	} else if (root->kind != YAML_MAP) {
		report_error(l->report, root->at, "the file is made of `key: value` lines");
	} else {
		reader_fill(l, &schema_root, root, l->settings);
		check_settings(l, root);
	}
	yaml_tree_free(root);
}

static struct settings *load(const char *file, struct bytes yaml, bool world_readable, const struct config_sources *src,
			     struct config_report *report)
{
	struct load l = { .report = report, .src = src, .file = file, .world_readable = world_readable };

	l.settings = calloc(1, sizeof(*l.settings));
	if (!l.settings) {
		report_error(report, (struct mark){ 0, 0 }, "out of memory");
		return NULL;
	}
	l.settings->refs = 1;
	l.settings->file = strdup(file);
	if (!l.settings->file)
		report_error(report, (struct mark){ 0, 0 }, "out of memory");
	read_tree(&l, yaml);
	if (report->errors == 0 && settings_index(l.settings) != GW_OK)
		report_error(report, (struct mark){ 0, 0 }, "out of memory");
	if (report->errors > 0) {
		settings_unref(l.settings);
		return NULL;
	}
	return l.settings;
}

static void report_begin(struct config_report *report, const char *file)
{
	*report = (struct config_report){ .file = strdup(file) };
}

struct settings *config_load_text(const char *file, struct bytes yaml, const struct config_sources *src,
				  struct config_report *report)
{
	report_begin(report, file);
	return load(file, yaml, false, src, report);
}

static bool read_fd(int fd, struct secret *out, bool *world_readable, struct config_report *report)
{
	const struct mark whole = { 0, 0 };
	struct stat st;
	size_t n = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		report_error(report, whole, "is not a plain file");
		return false;
	}
	if (st.st_size > YAML_MAX_BYTES) {
		report_error(report, whole, "larger than %u octets", (unsigned)YAML_MAX_BYTES);
		return false;
	}
	*world_readable = (st.st_mode & S_IROTH) != 0;
	if (secret_alloc(out, (size_t)st.st_size) != GW_OK) {
		report_error(report, whole, "out of memory");
		return false;
	}
	while (n < out->n) {
		ssize_t got = read(fd, out->p + n, out->n - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			report_error(report, whole, "%s", got < 0 ? strerror(errno) : "changes while it is read");
			return false;
		}
		n += (size_t)got;
	}
	return true;
}

struct settings *config_load_file(const char *path, const struct config_sources *src, struct config_report *report)
{
	/* Secrets may stand in the text: it is wiped like one. */
	WIPED struct secret text = { 0 };
	struct settings *s = NULL;
	bool world_readable = false;
	int fd;

	report_begin(report, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		report_error(report, (struct mark){ 0, 0 }, "%s", strerror(errno));
		return NULL;
	}
	if (read_fd(fd, &text, &world_readable, report))
		s = load(path, secret_bytes(&text), world_readable, src, report);
	(void)close(fd);
	return s;
}
