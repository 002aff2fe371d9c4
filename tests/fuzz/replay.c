/*
 * Runs a fuzz target over files, for compilers without libFuzzer: seeds and found crashes become tests.
 *
 *	fuzz_config FILE|FOLDER...
 *
 * Folders are walked down. Fails when there was no file at all, or one could not be read.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Some targets set things up once. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

struct replay {
	size_t files, failures;
};

static void complain(struct replay *r, const char *path)
{
	(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
	r->failures++;
}

static void run_file(struct replay *r, const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	/* Exactly as large as the input: a sanitizer sees a read beyond it. */
	uint8_t *data = malloc(size > 0 ? size : 1);

	if (!f || !data || fread(data, 1, size, f) != size) {
		complain(r, path);
	} else {
		(void)LLVMFuzzerTestOneInput(data, size);
		r->files++;
	}
	if (f)
		(void)fclose(f);
	free(data);
}

static void run_path(struct replay *r, const char *path, int depth)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) < 0) {
		complain(r, path);
		return;
	}
	if (S_ISREG(st.st_mode)) {
		run_file(r, path, (size_t)st.st_size);
		return;
	}
	dir = S_ISDIR(st.st_mode) && depth < 8 ? opendir(path) : NULL;
	if (!dir) {
		complain(r, path);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		char *below;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0) {
			complain(r, path);
			break;
		}
		run_path(r, below, depth + 1);
		free(below);
	}
	(void)closedir(dir);
}

int main(int argc, char **argv)
{
	struct replay r = { 0 };

	if (LLVMFuzzerInitialize)
		(void)LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		run_path(&r, argv[i], 0);
	(void)printf("%zu inputs\n", r.files);
	if (r.files == 0)
		(void)fprintf(stderr, "no input at all\n");
	return r.files > 0 && r.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
