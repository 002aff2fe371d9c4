/* Certificates, keys and authorities in gateway.yaml: what loads, what is refused, what is warned of. */
#include "config/reader.h"
#include "scene.h"
#include "tests/check_main.h"
#include "tests/pki/pki.h"

/* Files that a test has: name, content. */
static struct {
	const char *path, *text;
} files[8];

static enum gw_err read_any(void *arg, const char *path, struct secret *out, struct err *e)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(files) && files[i].path; i++)
		if (strcmp(files[i].path, path) == 0)
			return secret_copy(out, bytes_str(files[i].text));
	return err_set(e, GW_EIO, "No such file or directory");
}

static struct settings *load_yaml(const char *yaml, struct config_report *r)
{
	struct config_sources src = { .getenv = scene_getenv, .read_secret = read_any, .read_file = read_any };

	return config_load_text("f", bytes_str(yaml), &src, r);
}

#define PKI \
	"certificates:\n  gw: {cert: gw.pem, key: gw.key}\n" \
	"authorities:\n  ca: {file: ca.pem}\n"
#define CONN(local, remote) \
	"connections:\n  road:\n    local: " local "\n    remote: " remote \
	"\n    children: {lan: {local: 10.0.0.0/8}}\n"
#define GOOD PKI CONN("{id: gw.example.org, auth: cert, certificates: gw}", "{auth: cert, authorities: ca}")

static void add_file(const char *path, const char *text)
{
	size_t i = 0;

	while (files[i].path && strcmp(files[i].path, path) != 0)
		i++;
	files[i].path = path;
	files[i].text = text;
}

static void scene_files(void)
{
	memset(files, 0, sizeof(files));
	add_file("gw.pem", SCENE_CERT);
	add_file("gw.key", SCENE_KEY);
	add_file("ca.pem", SCENE_CA);
}

static void expect(const char *yaml, const char *problems)
{
	struct config_report r;
	struct settings *s = load_yaml(yaml, &r);
	char *got = scene_problems(&r);

	ck_assert_msg(strstr(got, problems) && (*problems || !*got), "%s\nwanted: %s", got, problems);
	settings_unref(s);
	config_report_clear(&r);
	free(got);
}

START_TEST(all_is_well)
{
	struct config_report r;
	struct settings *s;
	const struct conn_cfg *c;

	scene_files();
	s = load_yaml(GOOD, &r);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(r.count, 0);
	c = &s->conns[0];
	ck_assert_uint_eq(c->local_auth, CONN_AUTH_CERT);
	ck_assert_uint_eq(c->remote_auth, CONN_AUTH_CERT);
	ck_assert_uint_eq(c->certificate_count, 1);
	ck_assert_uint_eq(c->certificates[0]->chain_len, 1);
	ck_assert_int_eq(sign_key_kind(c->certificates[0]->key), KEY_P256);
	ck_assert_uint_eq(c->certificates[0]->issuer_count, 1);
	ck_assert_mem_eq(c->certificates[0]->issuers[0], c->authorities[0]->trust->anchors[0].key_hash, 20);
	ck_assert_int_eq(c->authorities[0]->revocation, REVOCATION_SOFT);
	ck_assert(c->psk.n == 0);
	settings_unref(s);
	config_report_clear(&r);
}
END_TEST

/* Two blocks in one file, and the order of them. */
START_TEST(chains_in_a_file)
{
	static char both[8192];
	struct config_report r;
	struct settings *s;

	scene_files();
	(void)snprintf(both, sizeof(both), "a line of text\n%s%s", SCENE_CERT, SCENE_CA);
	add_file("gw.pem", both);
	s = load_yaml(GOOD, &r);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(r.count, 0);
	ck_assert_uint_eq(s->certificates[0].chain_len, 2);
	settings_unref(s);
	config_report_clear(&r);
	(void)snprintf(both, sizeof(both), "%s%s", SCENE_CA, SCENE_CERT);
	expect(GOOD, "the first certificate of the file is that of an authority");
	expect(GOOD, "`key` is not the key of the first certificate of `cert`");
	expect(GOOD, "certificate 1 of the file is not issued by the one behind it");
}
END_TEST

START_TEST(files_that_are_none)
{
	scene_files();
	add_file("gw.key", "no key");
	expect(GOOD, "f:2:27: error: `key`: gw.key: holds no private key that is readable without a passphrase");
	add_file("gw.pem", "no certificate");
	expect(GOOD, "error: `cert`: gw.pem: no certificate is in it");
	scene_files();
	files[0].path = "other.pem";
	expect(GOOD, "`cert`: gw.pem: No such file or directory");
	scene_files();
	add_file("ca.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
	expect(GOOD, "`file`: ca.pem: certificate 1 of the file is no PEM");
	scene_files();
	add_file("ca.pem", SCENE_CERT);
	expect(GOOD, "`CN=gw.example.org,O=Example,C=DE` is not the certificate of an authority");
}
END_TEST

START_TEST(what_clients_stumble_over)
{
	struct pki *ca = pki_authority(NULL, "CN=ca", NULL);
	struct pki *p = pki_issue(ca, &(struct pki_spec){ .subject = "CN=gw", .san = "DNS:other.example.org" });
	struct pki *old = pki_issue(ca, &(struct pki_spec){ .subject = "CN=gw",
							    .san = "DNS:gw.example.org",
							    .purpose = "serverAuth",
							    .from = 1000,
							    .to = 2000 });

	scene_files();
	add_file("gw.pem", pki_pem(p));
	add_file("gw.key", pki_key_pem(p));
	expect(GOOD, "warning: certificate `gw` does not say that it is `gw.example.org` (subjectAltName): clients "
		     "refuse it");
	expect(GOOD, "warning: the certificate lacks extendedKeyUsage serverAuth: Windows and Apple clients refuse it");
	expect(GOOD, "warning: the chain ends at `CN=ca`, which is not among the authorities");
	add_file("gw.pem", pki_pem(old));
	add_file("gw.key", pki_key_pem(old));
	expect(GOOD, "warning: certificate `CN=gw` expired at 1970-01-01 00:33");
	pki_free(ca);
	pki_free(p);
	pki_free(old);
}
END_TEST

START_TEST(what_belongs_together)
{
	scene_files();
	expect(PKI CONN("{id: gw.example.org, auth: cert}", "{auth: cert, authorities: ca}"),
	       "error: `auth: cert` wants `certificates` beside it");
	expect(PKI CONN("{auth: cert, certificates: gw}", "{auth: cert}"),
	       "error: certificates of clients want `authorities` beside `auth`");
	expect(PKI CONN("{auth: cert, certificates: gw}", "{auth: [psk, cert], authorities: ca}"),
	       "error: `psk` is missing in `road`");
	expect(PKI CONN("{auth: cert, certificates: gq}", "{auth: cert, authorities: ca}"),
	       "error: `certificates`: there is no certificate `gq`; did you mean `gw`?");
	expect(PKI CONN("{auth: cert, certificates: gw}", "{auth: cert, authorities: cs}"),
	       "error: `authorities`: there is no authority `cs`; did you mean `ca`?");
	expect("authorities:\n  ca: {file: ca.pem, revocation: strict}\n" CONN("{}", "{}"),
	       "error: `strict` without a `crl` refuses everybody");
	expect("authorities:\n  ca: {file: ca.pem, crl: ['https://a/b']}\n" CONN("{}", "{}"),
	       "error: `crl` is a file or an http:// URL");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("certs");

	tcase_add_test(t, all_is_well);
	tcase_add_test(t, chains_in_a_file);
	tcase_add_test(t, files_that_are_none);
	tcase_add_test(t, what_clients_stumble_over);
	tcase_add_test(t, what_belongs_together);
	return check_main("certs", t);
}
