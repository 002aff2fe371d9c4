/* Certificates (cert.h), chains (trust.h), lists of revoked ones (crl.h), names (dn.h). */
#include "core/crypto/trust.h"

#include <openssl/crypto.h>

#include "core/crypto/crl.h"
#include "core/crypto/dn.h"
#include "tests/check_main.h"
#include "tests/pki/pki.h"

enum { NOW = 1700000000 };

static struct crypto *crypto;
static struct keyring *ring;
static struct pki *root;
static struct trust *trust;

static struct trust *trust_of(const struct pki *p)
{
	struct trust *t = NULL;
	struct err e = { 0 };

	ck_assert_msg(trust_create(ring, bytes_str(pki_pem(p)), &t, &e) == GW_OK, "%s", e.text);
	return t;
}

static void setup(void)
{
	struct err e;

	crypto = crypto_create(&e);
	ring = keyring_create();
	root = pki_authority(NULL, "CN=root,O=Example", NULL);
	trust = trust_of(root);
}

static void teardown(void)
{
	trust_destroy(trust);
	pki_free(root);
	keyring_destroy(ring);
	crypto_destroy(crypto);
}

/* Builds the chain of `leaf` with `pool`; the text of the refusal, "" when it was found. Everything is freed. */
static const char *judge(struct pki *leaf, struct pki *const *pool, size_t n)
{
	static struct err e;
	const struct trust *trusts[] = { NULL, trust };
	struct cert l, p[16];
	struct cert_chain chain;

	e = (struct err){ 0 };
	ck_assert_msg(cert_read(pki_der(leaf), &l, &e) == GW_OK, "%s", e.text);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(cert_read(pki_der(pool[i]), &p[i], &e), GW_OK);
	if (chain_build(crypto, trusts, 2, &l, p, n, NOW, &chain, &e) == GW_OK) {
		ck_assert_ptr_eq(chain.certs[0], &l);
		ck_assert_uint_eq(chain.trust, 1);
		e.text[0] = '\0';
	} else {
		ck_assert_str_ne(e.text, "");
	}
	pki_free(leaf);
	for (size_t i = 0; i < n; i++)
		pki_free(pool[i]);
	return e.text;
}

#define ISSUE(by, ...) pki_issue(by, &(struct pki_spec){ __VA_ARGS__ })

START_TEST(what_is_read)
{
	struct pki *p =
		ISSUE(root, .subject = "CN=alice,O=Acme\\, Inc.,C=DE", .key = "P-384",
		      .san = "DNS:gw.example.org,email:alice@example.org,IP:192.0.2.1,IP:2001:db8::1",
		      .usage = "critical,digitalSignature,nonRepudiation", .purpose = "clientAuth,1.3.6.1.5.5.8.2.2",
		      .constraints = "CA:FALSE", .from = 1600000000, .to = 1800000000);
	struct cert c;
	struct err e;
	struct reader r;
	enum cert_name kind;
	struct bytes value, cn;
	char text[100];

	ck_assert_int_eq(cert_read(pki_der(p), &c, &e), GW_OK);
	ck_assert_int_eq(c.not_before, 1600000000);
	ck_assert_int_eq(c.not_after, 1800000000);
	ck_assert(!c.ca && !c.alien && c.has_usage && c.has_purpose && c.path_len == -1);
	ck_assert_uint_eq(c.usage, CERT_DIGITAL_SIGNATURE | CERT_NON_REPUDIATION);
	ck_assert_uint_eq(c.purpose, CERT_FOR_CLIENT | CERT_FOR_IKE_INTERMEDIATE);
	ck_assert_str_eq(dn_text(c.subject, text, sizeof(text)), "CN=alice,O=Acme\\, Inc.,C=DE");
	ck_assert_str_eq(dn_text(c.issuer, text, sizeof(text)), "CN=root,O=Example");
	ck_assert(dn_common_name(c.subject, &cn) && bytes_equal(cn, bytes_str("alice")));
	r = rd_of(c.san);
	ck_assert(cert_next_name(&r, &kind, &value) && kind == CERT_NAME_DNS);
	ck_assert(bytes_equal(value, bytes_str("gw.example.org")));
	ck_assert(cert_next_name(&r, &kind, &value) && kind == CERT_NAME_MAIL);
	ck_assert(cert_next_name(&r, &kind, &value) && kind == CERT_NAME_ADDRESS && value.n == 4);
	ck_assert(cert_next_name(&r, &kind, &value) && kind == CERT_NAME_ADDRESS && value.n == 16);
	ck_assert(!cert_next_name(&r, &kind, &value) && !r.bad);
	pki_free(p);
}
END_TEST

/* Cut off anywhere, or with an octet changed, it is refused or read, and never past its end (ASan watches). */
START_TEST(damaged_ones)
{
	struct pki *p = ISSUE(root, .subject = "CN=a", .san = "DNS:a.example.org", .usage = "digitalSignature");
	struct bytes der = pki_der(p);
	struct cert c;
	struct err e;

	for (size_t n = 0; n < der.n; n++) {
		uint8_t *exact = malloc(n + 1);

		memcpy(exact, der.p, n);
		exact = realloc(exact, n ? n : 1);
		ck_assert_int_eq(cert_read(bytes_of(exact, n), &c, &e), GW_EMALFORMED);
		free(exact);
	}
	for (size_t i = 0; i < der.n; i++) {
		uint8_t *copy = malloc(der.n);

		memcpy(copy, der.p, der.n);
		copy[i] ^= 0x81;
		(void)!cert_read(bytes_of(copy, der.n), &c, &e);
		free(copy);
	}
	pki_free(p);
}
END_TEST

START_TEST(chains)
{
	struct pki *mid = pki_authority(root, "CN=mid", "RSA:2048"), *low = pki_authority(mid, "CN=low", "ED25519");
	struct pki *leaf = ISSUE(low, .subject = "CN=a"), *stray = ISSUE(NULL, .subject = "CN=stray");
	struct pki *pool[] = { stray, low, mid };

	ck_assert_str_eq(judge(leaf, pool, 3), "");
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a"), NULL, 0), "");
}
END_TEST

START_TEST(refused_chains)
{
	struct pki *other = pki_authority(NULL, "CN=other", NULL), *mid, *leaf;

	ck_assert_str_eq(judge(ISSUE(other, .subject = "CN=a"), NULL, 0),
			 "unknown authority: its certificate is issued by `CN=other`");
	pki_free(other);
	/* The name of the root is not its key. */
	other = pki_authority(NULL, "CN=root,O=Example", NULL);
	ck_assert_str_eq(judge(ISSUE(other, .subject = "CN=a"), NULL, 0), "certificate `CN=a` has a wrong signature");
	pki_free(other);
	/* A leaf issues nothing. */
	mid = ISSUE(root, .subject = "CN=mid", .usage = "digitalSignature");
	leaf = ISSUE(mid, .subject = "CN=a");
	ck_assert_str_eq(judge(leaf, &mid, 1), "certificate `CN=mid` is not that of an authority");
	mid = ISSUE(root, .subject = "CN=mid", .usage = "digitalSignature", .constraints = "CA:TRUE");
	leaf = ISSUE(mid, .subject = "CN=a");
	ck_assert_str_eq(judge(leaf, &mid, 1), "certificate `CN=mid` is not for signing certificates (keyUsage)");
	mid = ISSUE(root, .subject = "CN=mid", .constraints = "CA:TRUE", .from = 1, .to = 1600000000);
	leaf = ISSUE(mid, .subject = "CN=a");
	ck_assert_str_eq(judge(leaf, &mid, 1), "certificate `CN=mid` expired at 2020-09-13 12:26");
}
END_TEST

START_TEST(path_length)
{
	struct pki *mid = ISSUE(root, .subject = "CN=mid", .constraints = "critical,CA:TRUE,pathlen:0");
	struct pki *low = pki_authority(mid, "CN=low", NULL), *leaf = ISSUE(low, .subject = "CN=a");
	struct pki *pool[] = { mid, low };

	ck_assert_str_eq(judge(leaf, pool, 2), "certificate `CN=mid` allows 0 authorities below it only");
	mid = ISSUE(root, .subject = "CN=mid", .constraints = "critical,CA:TRUE,pathlen:0");
	leaf = ISSUE(mid, .subject = "CN=a");
	ck_assert_str_eq(judge(leaf, &mid, 1), "");
}
END_TEST

START_TEST(leaves)
{
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a", .from = 1800000000, .to = 1900000000), NULL, 0),
			 "certificate `CN=a` is valid from 2027-01-15 08:00 on");
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a", .from = 1, .to = NOW - 1), NULL, 0),
			 "certificate `CN=a` expired at 2023-11-14 22:13");
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a", .usage = "critical,keyEncipherment"), NULL, 0),
			 "certificate `CN=a` is not for signatures (keyUsage)");
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a", .purpose = "codeSigning"), NULL, 0),
			 "certificate `CN=a` is for neither IKE nor TLS (extendedKeyUsage)");
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a", .purpose = "codeSigning,anyExtendedKeyUsage"), NULL, 0),
			 "");
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a", .extra_oid = "1.3.6.1.4.1.99999.1"), NULL, 0),
			 "certificate `CN=a` has a critical extension that we do not know");
	ck_assert_str_eq(judge(ISSUE(root, .subject = "CN=a", .digest = "SHA1"), NULL, 0),
			 "certificate `CN=a` is signed with SHA-1");
}
END_TEST

/* Certificates that all look like issuers of each other: the work is bounded. */
START_TEST(a_maze)
{
	struct pki *pool[16], *leaf;

	for (size_t i = 0; i < ARRAY_LEN(pool); i++)
		pool[i] = pki_authority(NULL, "CN=maze", NULL);
	leaf = ISSUE(pool[0], .subject = "CN=a");
	ck_assert_str_ne(judge(leaf, pool, ARRAY_LEN(pool)), "");
}
END_TEST

/* ---- lists ---- */

static const char *take_list(const struct pki *by, const uint64_t *serials, size_t count, struct crl **out)
{
	static struct err e;
	size_t n;
	uint8_t *der = pki_crl(by, serials, count, NOW, NOW + 1000, &n);

	e = (struct err){ 0 };
	*out = NULL;
	(void)!crl_create(crypto, trust, bytes_of(der, n), out, &e);
	for (size_t cut = 1; cut < n; cut += 7) {
		struct crl *none = NULL;
		struct err ignored;

		ck_assert_int_ne(crl_create(crypto, trust, bytes_of(der, n - cut), &none, &ignored), GW_OK);
	}
	der[n / 2] ^= 1;
	if (*out) {
		struct crl *none = NULL;
		struct err ignored;

		ck_assert_int_ne(crl_create(crypto, trust, bytes_of(der, n), &none, &ignored), GW_OK);
	}
	OPENSSL_free(der);
	return e.text;
}

START_TEST(lists)
{
	static const uint64_t serials[] = { 7, 300, 65536, 0x8000000000000001 };
	struct pki *p = ISSUE(root, .subject = "CN=a", .serial = 300),
		   *q = ISSUE(root, .subject = "CN=b", .serial = 301);
	struct pki *other = pki_authority(NULL, "CN=other", NULL);
	struct cert c;
	struct err e;
	struct crl *l;

	ck_assert_str_eq(take_list(root, serials, 4, &l), "");
	ck_assert_uint_eq(crl_count(l), 4);
	ck_assert_int_eq(crl_made(l), NOW);
	ck_assert_int_eq(crl_next(l), NOW + 1000);
	ck_assert_int_eq(cert_read(pki_der(p), &c, &e), GW_OK);
	ck_assert(crl_has(l, c.serial));
	ck_assert_int_eq(cert_read(pki_der(q), &c, &e), GW_OK);
	ck_assert(!crl_has(l, c.serial));
	crl_destroy(l);
	ck_assert_str_eq(take_list(root, NULL, 0, &l), "");
	ck_assert(!crl_has(l, c.serial));
	crl_destroy(l);
	ck_assert_str_eq(take_list(other, serials, 1, &l),
			 "is the list of `CN=other`, which is none of this authority's certificates");
	ck_assert_ptr_null(l);
	pki_free(other);
	other = pki_authority(NULL, "CN=root,O=Example", NULL);
	ck_assert_str_eq(take_list(other, serials, 1, &l), "the list of `CN=root,O=Example` has a wrong signature");
	pki_free(other);
	pki_free(p);
	pki_free(q);
}
END_TEST

/* ---- names ---- */

START_TEST(names)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "CN=alice,O=Acme,C=DE", "CN=alice,O=Acme,C=DE" },
		{ "cn = alice , o = Acme Inc , c = DE", "CN=alice,O=Acme Inc,C=DE" },
		{ "CN=a\\,b\\+c\\=d,O=x\\20y", "CN=a\\,b\\+c=d,O=x y" },
		{ "CN=\\23x,OU=#", "CN=\\#x,OU=\\#" },
		{ "DC=example,DC=org", "DC=example,DC=org" },
		{ "CN=a+UID=7,O=x", "CN=a+UID=7,O=x" },
		{ "E=a@b", "E=a@b" },
		{ "CN=\\c3\\a4", "CN=\\c3\\a4" },
	};
	uint8_t a[DN_MAX], b[DN_MAX];
	char text[200];
	size_t n, m;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_int_eq(dn_parse(rows[i].in, a, sizeof(a), &n, NULL), GW_OK);
		ck_assert_str_eq(dn_text(bytes_of(a, n), text, sizeof(text)), rows[i].out);
		ck_assert_int_eq(dn_parse(text, b, sizeof(b), &m, NULL), GW_OK);
		ck_assert(bytes_equal(bytes_of(a, n), bytes_of(b, m)));
	}
	ck_assert_str_eq(dn_text(bytes_str("\x30\x01"), text, sizeof(text)), "#3001");
	ck_assert_str_eq(dn_text(bytes_of(a, n), text, 12), "CN=\\c3...");
}
END_TEST

/* An authority with a new key and the old name, both in its file: the lists of either count. */
START_TEST(lists_by_either_key)
{
	static const uint64_t serials[] = { 7 };
	struct pki *renewed = pki_authority(NULL, "CN=root,O=Example", NULL), *third;
	char both[8192];
	struct crl *l;
	struct err e = { 0 };

	ck_assert_int_lt(snprintf(both, sizeof(both), "%s%s", pki_pem(root), pki_pem(renewed)), (int)sizeof(both));
	trust_destroy(trust);
	ck_assert_msg(trust_create(ring, bytes_str(both), &trust, &e) == GW_OK, "%s", e.text);
	ck_assert_str_eq(take_list(root, serials, 1, &l), "");
	crl_destroy(l);
	ck_assert_str_eq(take_list(renewed, serials, 1, &l), "");
	crl_destroy(l);
	third = pki_authority(NULL, "CN=root,O=Example", NULL);
	ck_assert_str_eq(take_list(third, serials, 1, &l), "the list of `CN=root,O=Example` has a wrong signature");
	pki_free(third);
	pki_free(renewed);
}
END_TEST

/* Names have the same key where they are equal, and only there. */
START_TEST(keys_of_names)
{
	static const char *const same[] = { "CN=alice,O=Acme,C=DE", "cn=ALICE,o=acme,c=de", "C=DE,O=Acme,CN=Alice" };
	static const char *const other[] = { "CN=alice,C=DE,O=Acme", "CN=alice,O=Acme", "CN=alicf,O=Acme,C=DE",
					     "OU=alice,O=Acme,C=DE", "CN=alice O,O=Acme,C=DE" };
	uint8_t der[DN_MAX], first[DN_MAX], key[DN_MAX];
	size_t n, len = 0;

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		ck_assert_int_eq(dn_parse(same[i], der, sizeof(der), &n, NULL), GW_OK);
		if (i == 0)
			len = dn_key(bytes_of(der, n), first);
		else
			ck_assert(bytes_equal(bytes_of(key, dn_key(bytes_of(der, n), key)), bytes_of(first, len)));
	}
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		ck_assert_int_eq(dn_parse(other[i], der, sizeof(der), &n, NULL), GW_OK);
		ck_assert(!bytes_equal(bytes_of(key, dn_key(bytes_of(der, n), key)), bytes_of(first, len)));
	}
	ck_assert_uint_eq(dn_key(bytes_str("no name"), key), 7);
	ck_assert_int_eq(memcmp(key, "no name", 7), 0);
}
END_TEST

static bool matches(const char *pattern, const char *name)
{
	uint8_t a[DN_MAX], b[DN_MAX];
	size_t n, m;

	ck_assert_int_eq(dn_parse(pattern, a, sizeof(a), &n, NULL), GW_OK);
	ck_assert_int_eq(dn_parse(name, b, sizeof(b), &m, NULL), GW_OK);
	ck_assert(dn_equal(bytes_of(b, m), bytes_of(b, m)));
	return dn_matches(bytes_of(a, n), bytes_of(b, m));
}

START_TEST(patterns)
{
	ck_assert(matches("CN=*,O=Acme,C=DE", "CN=alice,O=acme,C=DE"));
	ck_assert(matches("C=DE,O=Acme,CN=*", "CN=alice,O=Acme,C=DE"));
	ck_assert(matches("CN=a*e,O=Acme", "CN=alice,O=Acme"));
	ck_assert(!matches("CN=*,O=Acme", "CN=alice,O=Other"));
	ck_assert(!matches("CN=*,O=Acme", "CN=alice,O=Acme,C=DE"));
	ck_assert(!matches("CN=*", "O=alice"));
	ck_assert(!matches("CN=alice", "CN=*")); /* what a peer sends is no pattern */
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("trust");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_read);
	tcase_add_test(t, damaged_ones);
	tcase_add_test(t, chains);
	tcase_add_test(t, refused_chains);
	tcase_add_test(t, path_length);
	tcase_add_test(t, leaves);
	tcase_add_test(t, a_maze);
	tcase_add_test(t, lists);
	tcase_add_test(t, lists_by_either_key);
	tcase_add_test(t, names);
	tcase_add_test(t, keys_of_names);
	tcase_add_test(t, patterns);
	return check_main("trust", t);
}
