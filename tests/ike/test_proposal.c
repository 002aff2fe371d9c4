#include "proposal_check.h"

struct choice {
	const char *who, *ours, *offer;
	uint16_t ke_group;
	enum gw_err want;
	const char *text; /* of what is chosen, where something is */
};

static void check_choice(const struct choice *c, uint8_t protocol, enum proposal_dh dh)
{
	static struct sa_payload offer;
	struct proposal_cfg ours[MAX_OURS];
	size_t n = ours_of(c->ours, protocol, ours);
	struct chosen chosen = { 0 };
	char text[CHOSEN_TEXT];
	struct err e = { 0 };
	enum gw_err got;

	offer_of(c->offer, protocol, &offer);
	got = proposal_choose(&offer, protocol, ours, n, c->ke_group, dh, &chosen, &e);
	ck_assert_msg(got == c->want, "%s: %d (%s) instead of %d", c->who, got, e.text, c->want);
	if (c->text)
		ck_assert_str_eq(chosen_text(&chosen, text), c->text);
	if (got != GW_OK)
		ck_assert_uint_gt(strlen(e.text), 10);
}

#define WINDOWS_IKE \
	"3des-sha1-prfsha1-modp1024 aes256-sha1-prfsha1-modp1024 3des-sha256-prfsha256-modp1024 " \
	"aes256-sha256-prfsha256-modp1024 3des-sha384-prfsha384-modp1024 aes256-sha384-prfsha384-modp1024 " \
	"aes128gcm16-prfsha256-modp1024 aes256gcm16-prfsha384-modp1024"
#define IOS_UI_IKE \
	"aes256-sha256-prfsha256-modp2048 aes256-sha256-prfsha256-ecp256 aes256-sha256-prfsha256-modp1536 " \
	"aes128-sha1-prfsha1-modp1024 3des-sha1-prfsha1-modp1024"
#define MACOS_IKE \
	"aes256gcm16-prfsha256-ecp256 aes256gcm16-prfsha256-modp2048 aes256-sha256-prfsha256-modp2048 " \
	"aes256-sha256-prfsha256-ecp256 aes256-sha1-prfsha1-modp1024"
#define ANDROID_IKE \
	"aes256ctr-aes256-aes192ctr-aes192-aes128ctr-aes128-sha512-sha384-sha256-xcbc-prfsha512-prfsha384-prfsha256-" \
	"modp4096-x25519-modp3072-modp2048 " \
	"chacha20poly1305-aes256gcm16-aes256gcm12-aes256gcm8-aes192gcm16-aes128gcm16-prfsha512-prfsha384-prfsha256-" \
	"modp4096-x25519-modp3072-modp2048"
#define STRONGSWAN_IKE \
	"aes128-aes192-aes256-camellia-sha256-sha384-sha512-sha1-xcbc-prfsha256-prfsha384-prfsha512-prfsha1-" \
	"ecp256-ecp384-ecp521-x25519-x448-modp3072-modp4096-modp6144-modp8192-modp2048 " \
	"aes128gcm16-aes192gcm16-aes256gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-prfsha1-" \
	"ecp256-ecp384-ecp521-x25519-x448-modp3072-modp4096-modp6144-modp8192-modp2048"

START_TEST(ike_of_real_clients)
{
	static const struct choice cases[] = {
		{ "Windows as it comes", IKE_DEFAULT, WINDOWS_IKE, 2, GW_EPROPOSAL, NULL },
		{ "Windows, weak group allowed", IKE_DEFAULT " aes256-sha256-modp1024", WINDOWS_IKE, 2, GW_OK,
		  "aes256-sha256-modp1024" },
		{ "Windows, NegotiateDH2048_AES256", IKE_DEFAULT,
		  "aes256-sha1-prfsha1-modp2048 aes256-sha256-prfsha256-modp2048 aes256-sha384-prfsha384-modp2048", 14,
		  GW_OK, "aes256-sha256-modp2048" },
		{ "Windows, PowerShell", IKE_DEFAULT, "aes256gcm16-prfsha384-ecp384", 20, GW_OK,
		  "aes256gcm16-prfsha384-ecp384" },
		{ "iOS set up by hand", IKE_DEFAULT, IOS_UI_IKE, 14, GW_OK, "aes256-sha256-modp2048" },
		{ "iOS profile", IKE_DEFAULT, "aes256gcm16-prfsha256-ecp256", 19, GW_OK,
		  "aes256gcm16-prfsha256-ecp256" },
		{ "iOS profile with what we do not have", IKE_DEFAULT, "aes256-sha1-prfsha1-modp1024", 2, GW_EPROPOSAL,
		  NULL },
		{ "iOS 26 profile with ML-KEM", IKE_DEFAULT, "aes256gcm16-prfsha256-ecp256-addke", 19, GW_EPROPOSAL,
		  NULL },
		{ "macOS 13", IKE_DEFAULT, "aes256-sha256-prfsha256-modp2048", 14, GW_OK, "aes256-sha256-modp2048" },
		{ "macOS 14", IKE_DEFAULT, MACOS_IKE, 19, GW_OK, "aes256gcm16-prfsha256-ecp256" },
		{ "Android, its first group", IKE_DEFAULT, ANDROID_IKE, 16, GW_EGROUP, "aes256gcm16-prfsha384-x25519" },
		{ "Android, again", IKE_DEFAULT, ANDROID_IKE, 31, GW_OK, "aes256gcm16-prfsha384-x25519" },
		{ "strongSwan", IKE_DEFAULT, STRONGSWAN_IKE, 19, GW_OK, "aes256gcm16-prfsha384-ecp256" },
		{ "strongSwan, CBC wanted here", "aes256-sha512-ecp521", STRONGSWAN_IKE, 19, GW_EGROUP,
		  "aes256-sha512-ecp521" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_choice(&cases[i], PROTO_IKE, PROPOSAL_DH_REQUIRED);
}
END_TEST

START_TEST(ike_rules)
{
	static const struct choice cases[] = {
		{ "our order of ciphers", IKE_DEFAULT, "aes128gcm16-aes256gcm16-prfsha256-prfsha384-x25519", 31, GW_OK,
		  "aes256gcm16-prfsha384-x25519" },
		{ "our order of groups without a KE payload", IKE_DEFAULT, "aes256gcm16-prfsha384-ecp256-x25519", 0,
		  GW_EGROUP, "aes256gcm16-prfsha384-x25519" },
		{ "the group of the KE payload first", IKE_DEFAULT, "aes256gcm16-prfsha384-x25519-modp2048", 14, GW_OK,
		  "aes256gcm16-prfsha384-modp2048" },
		{ "... even in a later proposal of the peer's", "aes256gcm16-prfsha384-x25519-modp2048",
		  "aes256gcm16-prfsha384-x25519 aes256gcm16-prfsha384-modp2048", 14, GW_OK,
		  "aes256gcm16-prfsha384-modp2048" },
		{ "a KE payload of a group that is not offered", IKE_DEFAULT, "aes256gcm16-prfsha384-x25519", 14,
		  GW_EGROUP, "aes256gcm16-prfsha384-x25519" },
		{ "our first proposal is worth a round trip", "aes256gcm16-prfsha384-ecp384 aes128-sha256-modp2048",
		  "aes128-sha256-prfsha256-modp2048 aes256gcm16-prfsha384-ecp384", 14, GW_EGROUP,
		  "aes256gcm16-prfsha384-ecp384" },
		{ "no common group at all", IKE_DEFAULT, "aes256gcm16-prfsha384-mlkem", 36, GW_EPROPOSAL, NULL },
		{ "no group", IKE_DEFAULT, "aes256gcm16-prfsha384", 31, GW_EPROPOSAL, NULL },
		{ "group NONE", IKE_DEFAULT, "aes256gcm16-prfsha384-none", 0, GW_EPROPOSAL, NULL },
		{ "no PRF", IKE_DEFAULT, "aes256gcm16-x25519", 31, GW_EPROPOSAL, NULL },
		{ "no MAC", IKE_DEFAULT, "aes256-prfsha256-x25519", 31, GW_EPROPOSAL, NULL },
		{ "no cipher", IKE_DEFAULT, "sha256-prfsha256-x25519", 31, GW_EPROPOSAL, NULL },
		{ "MAC NONE with an AEAD", IKE_DEFAULT, "aes256gcm16-nomac-prfsha384-x25519", 31, GW_OK,
		  "aes256gcm16-prfsha384-x25519" },
		{ "both kinds in one: AEAD", IKE_DEFAULT, "aes256-aes256gcm16-sha256-prfsha256-x25519", 31, GW_OK,
		  "aes256gcm16-prfsha256-x25519" },
		{ "both kinds in one: CBC", "aes256-sha256-x25519", "aes256-aes256gcm16-sha256-prfsha256-x25519", 31,
		  GW_OK, "aes256-sha256-x25519" },
		{ "both kinds in one, no MAC for CBC", "aes256-sha256-x25519",
		  "aes256-aes256gcm16-nomac-prfsha256-x25519", 31, GW_EPROPOSAL, NULL },
		{ "AES without key length", IKE_DEFAULT, "aes-sha256-prfsha256-x25519", 31, GW_EPROPOSAL, NULL },
		{ "AES with a strange key length", IKE_DEFAULT, "aes257-sha256-prfsha256-x25519", 31, GW_EPROPOSAL,
		  NULL },
		{ "AES with an attribute that we do not know", IKE_DEFAULT, "aesattr-sha256-prfsha256-x25519", 31,
		  GW_EPROPOSAL, NULL },
		{ "ChaCha20 with a key length", IKE_DEFAULT, "chacha256-prfsha256-x25519", 31, GW_EPROPOSAL, NULL },
		{ "ChaCha20", IKE_DEFAULT, "chacha20poly1305-prfsha256-x25519", 31, GW_OK,
		  "chacha20poly1305-prfsha256-x25519" },
		{ "a type that we do not know, NONE allowed", IKE_DEFAULT, "aes256gcm16-prfsha384-x25519-addke-noaddke",
		  31, GW_OK, "aes256gcm16-prfsha384-x25519" },
		{ "a type that we do not know, then without it", IKE_DEFAULT,
		  "aes256gcm16-prfsha384-x25519-addke aes128gcm16-prfsha256-x25519", 31, GW_OK,
		  "aes128gcm16-prfsha256-x25519" },
		{ "PRF and MAC of different hashes", "aes256-sha256-prfsha512-x25519",
		  "aes256-sha256-prfsha512-prfsha256-x25519", 31, GW_OK, "aes256-sha256-prfsha512-x25519" },
		{ "nothing offered", IKE_DEFAULT, "", 31, GW_EPROPOSAL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_choice(&cases[i], PROTO_IKE, PROPOSAL_DH_REQUIRED);
}
END_TEST

START_TEST(esp_of_real_clients)
{
	static const struct choice cases[] = {
		{ "Windows as it comes", ESP_DEFAULT,
		  "aes256-sha1-noesn aes128-sha1-noesn 3des-sha1-noesn des-sha1-noesn null-sha1-noesn", 0, GW_EPROPOSAL,
		  NULL },
		{ "Windows, SHA-1 configured", ESP_DEFAULT " aes256-sha1",
		  "aes256-sha1-noesn aes128-sha1-noesn 3des-sha1-noesn des-sha1-noesn null-sha1-noesn", 0, GW_OK,
		  "aes256-sha1" },
		{ "macOS", ESP_DEFAULT, "aes256-sha256-noesn", 0, GW_OK, "aes256-sha256" },
		{ "iOS profile", ESP_DEFAULT, "aes256gcm16-noesn", 0, GW_OK, "aes256gcm16" },
		{ "Android", ESP_DEFAULT,
		  "aes256-aes192-aes128-sha512-sha384-sha256-noesn "
		  "aes256gcm16-aes256gcm12-aes256gcm8-aes192gcm16-aes128gcm16-noesn",
		  0, GW_OK, "aes256gcm16" },
		{ "strongSwan", ESP_DEFAULT,
		  "aes128-aes192-aes256-sha256-sha384-sha512-sha1-xcbc-noesn "
		  "aes128gcm16-aes192gcm16-aes256gcm16-chacha20poly1305-noesn",
		  0, GW_OK, "aes256gcm16" },
		{ "strongSwan, set up for GCM and ESN", ESP_DEFAULT, "aes256gcm16-ecp256-esn-noesn", 0, GW_OK,
		  "aes256gcm16-esn" },
		{ "a MAC besides an AEAD", ESP_DEFAULT, "aes256gcm16-sha256-noesn", 0, GW_OK, "aes256gcm16" },
		{ "MAC NONE with an AEAD", ESP_DEFAULT, "aes256gcm16-nomac-noesn", 0, GW_OK, "aes256gcm16" },
		{ "encryption alone", ESP_DEFAULT, "aes256-nomac-noesn aes256-noesn", 0, GW_EPROPOSAL, NULL },
		{ "no ESN transform", ESP_DEFAULT, "aes256gcm16", 0, GW_OK, "aes256gcm16" },
		{ "no ESN transform, and we insist", "aes256gcm16-esn", "aes256gcm16", 0, GW_EPROPOSAL, NULL },
		{ "ESN only", "aes256gcm16-noesn", "aes256gcm16-esn", 0, GW_EPROPOSAL, NULL },
		{ "a PRF in ESP", ESP_DEFAULT, "aes256gcm16-prfsha256-noesn", 0, GW_EPROPOSAL, NULL },
		{ "groups mean nothing in IKE_AUTH", ESP_DEFAULT, "aes256gcm16-modp1024-noesn", 0, GW_OK,
		  "aes256gcm16" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_choice(&cases[i], PROTO_ESP, PROPOSAL_DH_IGNORED);
}
END_TEST

/* What the groups of both sides and the KE payload come to in CREATE_CHILD_SA; the rest is agreed on. */
START_TEST(pfs_in_create_child_sa)
{
#define G "aes256gcm16-"
	static const struct choice cases[] = {
		{ "neither", G "noesn", G "noesn", 0, GW_OK, "aes256gcm16" },
		{ "neither, but a KE payload", G "noesn", G "noesn", 31, GW_OK, "aes256gcm16" },
		{ "both", G "x25519-ecp256", G "ecp256-x25519-noesn", 19, GW_OK, G "ecp256" },
		{ "both, other group sent", G "x25519-ecp256", G "ecp384-ecp256-noesn", 20, GW_EGROUP, G "ecp256" },
		{ "both, nothing in common", G "x25519", G "ecp256-noesn", 19, GW_EPROPOSAL, NULL },
		{ "both, no KE payload", G "x25519", G "x25519-noesn", 0, GW_EGROUP, G "x25519" },
		{ "required here, none there", G "x25519", G "noesn", 0, GW_EPROPOSAL, NULL },
		{ "none here, required there", G "noesn", G "x25519-noesn", 31, GW_EPROPOSAL, NULL },
		{ "none here, optional there", G "noesn", G "x25519-none-noesn", 31, GW_OK, "aes256gcm16" },
		{ "optional here, none there", G "x25519-none", G "noesn", 0, GW_OK, "aes256gcm16" },
		{ "optional here, none there, a KE payload", G "x25519-none", G "noesn", 31, GW_OK, "aes256gcm16" },
		{ "optional here, required there", G "x25519-none", G "x25519-noesn", 31, GW_OK, G "x25519" },
		{ "optional both, KE sent", G "x25519-none", G "x25519-none-noesn", 31, GW_OK, G "x25519" },
		{ "optional both, no KE sent", G "x25519-none", G "x25519-none-noesn", 0, GW_OK, "aes256gcm16" },
		{ "optional both, other group sent", G "x25519-none", G "ecp256-x25519-none-noesn", 19, GW_EGROUP,
		  G "x25519" },
		{ "optional both, no common group", G "x25519-none", G "ecp256-none-noesn", 19, GW_OK, "aes256gcm16" },
		{ "iOS: with and without", ESP_DEFAULT, "aes256-sha256-modp2048-noesn aes256-sha256-noesn", 14, GW_OK,
		  "aes256-sha256-modp2048" },
		{ "iOS, its group not ours", "aes256-sha256-x25519-none",
		  "aes256-sha256-modp2048-noesn aes256-sha256-noesn", 14, GW_OK, "aes256-sha256" },
		{ "macOS: without only", ESP_DEFAULT, "aes256-sha256-noesn", 0, GW_OK, "aes256-sha256" },
		{ "strongSwan 6: all and none", ESP_DEFAULT,
		  "aes256gcm16-x25519-ecp256-ecp384-modp3072-none-noesn aes256-sha256-x25519-none-noesn", 31, GW_OK,
		  "aes256gcm16-x25519" },
		{ "none at once rather than a group later", G "x25519-none aes128gcm16-none",
		  G "x25519-noesn aes128gcm16-noesn", 0, GW_OK, "aes128gcm16" },
	};
#undef G

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_choice(&cases[i], PROTO_ESP, PROPOSAL_DH_OPTIONAL);
}
END_TEST

START_TEST(other_protocols_and_spis)
{
	static struct sa_payload offer;
	struct proposal_cfg ours[MAX_OURS];
	size_t n = ours_of(ESP_DEFAULT, PROTO_ESP, ours);
	struct chosen c;

	offer_of("sha256-noesn aes256gcm16-noesn", PROTO_ESP, &offer);
	offer.p[0].protocol = PROTO_AH;
	ck_assert_int_eq(proposal_choose(&offer, PROTO_ESP, ours, n, 0, PROPOSAL_DH_IGNORED, &c, NULL), GW_OK);
	ck_assert_uint_eq(c.number, 2);
	ck_assert_uint_eq(c.protocol, PROTO_ESP);
	ck_assert(bytes_equal(c.spi, bytes_of(spi, 4)));
	offer.p[1].protocol = PROTO_AH;
	ck_assert_int_eq(proposal_choose(&offer, PROTO_ESP, ours, n, 0, PROPOSAL_DH_IGNORED, &c, NULL), GW_EPROPOSAL);
	offer.p[1].protocol = PROTO_ESP;
	offer.p[1].spi = bytes_of(spi, 8);
	ck_assert_int_eq(proposal_choose(&offer, PROTO_ESP, ours, n, 0, PROPOSAL_DH_IGNORED, &c, NULL), GW_EPROPOSAL);

	n = ours_of(IKE_DEFAULT, PROTO_IKE, ours);
	offer_of("aes256gcm16-prfsha256-x25519", PROTO_IKE, &offer);
	offer.p[0].spi = bytes_of(spi, 8);
	ck_assert_int_eq(proposal_choose(&offer, PROTO_IKE, ours, n, 31, PROPOSAL_DH_REQUIRED, &c, NULL), GW_OK);
	offer.p[0].spi = bytes_of(spi, 4);
	ck_assert_int_eq(proposal_choose(&offer, PROTO_IKE, ours, n, 31, PROPOSAL_DH_REQUIRED, &c, NULL), GW_EPROPOSAL);
}
END_TEST

START_TEST(answers)
{
	static const struct {
		const char *what;
		uint8_t protocol;
		const char *offered, *answer;
		enum gw_err want;
		const char *text;
	} cases[] = {
		{ "second of two", PROTO_IKE, IKE_DEFAULT, "aes128-sha384-prfsha384-modp2048", GW_OK,
		  "aes128-sha384-modp2048" },
		{ "two proposals", PROTO_IKE, IKE_DEFAULT,
		  "aes128-sha384-prfsha384-modp2048 aes256-sha384-prfsha384-modp2048", GW_EPROPOSAL, NULL },
		{ "nothing", PROTO_IKE, IKE_DEFAULT, "", GW_EPROPOSAL, NULL },
		{ "two ciphers", PROTO_IKE, IKE_DEFAULT, "aes128-aes256-sha384-prfsha384-modp2048", GW_EPROPOSAL,
		  NULL },
		{ "one cipher twice", PROTO_IKE, IKE_DEFAULT, "aes256-aes256-sha384-prfsha384-modp2048", GW_EPROPOSAL,
		  NULL },
		{ "two groups", PROTO_IKE, IKE_DEFAULT, "aes128-sha384-prfsha384-modp2048-x25519", GW_EPROPOSAL, NULL },
		{ "not offered", PROTO_IKE, IKE_DEFAULT, "3des-sha384-prfsha384-modp2048", GW_EPROPOSAL, NULL },
		{ "of two of ours", PROTO_IKE, IKE_DEFAULT, "aes256gcm16-prfsha512-x25519", GW_EPROPOSAL, NULL },
		{ "no group", PROTO_IKE, IKE_DEFAULT, "aes256gcm16-prfsha384", GW_EPROPOSAL, NULL },
		{ "a type of its own", PROTO_IKE, IKE_DEFAULT, "aes256gcm16-prfsha384-x25519-addke", GW_EPROPOSAL,
		  NULL },
		{ "MAC NONE", PROTO_IKE, IKE_DEFAULT, "aes256gcm16-nomac-prfsha384-x25519", GW_OK,
		  "aes256gcm16-prfsha384-x25519" },
		{ "a MAC besides an AEAD", PROTO_IKE, IKE_DEFAULT, "aes256gcm16-sha256-prfsha384-x25519", GW_EPROPOSAL,
		  NULL },
		{ "without PFS", PROTO_ESP, ESP_DEFAULT, "aes256gcm16-noesn", GW_OK, "aes256gcm16" },
		{ "without PFS, said so", PROTO_ESP, ESP_DEFAULT, "aes256gcm16-none-noesn", GW_OK, "aes256gcm16" },
		{ "without PFS, but required", PROTO_ESP, "aes256gcm16-x25519", "aes256gcm16-noesn", GW_EPROPOSAL,
		  NULL },
		{ "PFS", PROTO_ESP, ESP_DEFAULT, "aes256gcm16-ecp256-esn", GW_OK, "aes256gcm16-ecp256-esn" },
		{ "a group that was not offered", PROTO_ESP, ESP_DEFAULT, "aes256gcm16-modp4096-esn", GW_EPROPOSAL,
		  NULL },
		{ "a group where none was offered", PROTO_ESP, "aes256gcm16", "aes256gcm16-x25519-noesn", GW_EPROPOSAL,
		  NULL },
		{ "ESN that was not offered", PROTO_ESP, "aes256gcm16-noesn", "aes256gcm16-esn", GW_EPROPOSAL, NULL },
		{ "ESN left out", PROTO_ESP, "aes256gcm16-noesn", "aes256gcm16", GW_OK, "aes256gcm16" },
		{ "ESN left out where it was all we offered", PROTO_ESP, "aes256gcm16-esn", "aes256gcm16", GW_EPROPOSAL,
		  NULL },
	};
	static struct sa_payload answer;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proposal_cfg ours[MAX_OURS];
		size_t n = ours_of(cases[i].offered, cases[i].protocol, ours);
		char text[CHOSEN_TEXT];
		struct chosen c;
		enum gw_err got;

		offer_of(cases[i].answer, cases[i].protocol, &answer);
		got = proposal_answer(&answer, cases[i].protocol, ours, n, &c, NULL);
		ck_assert_msg(got == cases[i].want, "%s: %d", cases[i].what, got);
		if (got == GW_OK)
			ck_assert_str_eq(chosen_text(&c, text), cases[i].text);
	}
	offer_of("aes256gcm16-noesn", PROTO_ESP, &answer);
	answer.p[0].protocol = PROTO_AH;
	{
		struct proposal_cfg ours[MAX_OURS];
		size_t n = ours_of(ESP_DEFAULT, PROTO_ESP, ours);
		struct chosen c;

		ck_assert_int_eq(proposal_answer(&answer, PROTO_ESP, ours, n, &c, NULL), GW_EPROPOSAL);
	}
}
END_TEST

START_TEST(transforms_and_suites)
{
	static struct sa_payload offer;
	struct proposal_cfg ours[MAX_OURS];
	size_t n = ours_of(IKE_DEFAULT, PROTO_IKE, ours);
	struct cipher_suite s;
	struct transform t[5];
	struct chosen c;

	offer_of("aes128-sha512-prfsha512-modp3072", PROTO_IKE, &offer);
	ck_assert_int_eq(proposal_choose(&offer, PROTO_IKE, ours, n, 15, PROPOSAL_DH_REQUIRED, &c, NULL), GW_OK);
	ck_assert_uint_eq(chosen_transforms(&c, t), 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(t[i].type, i + 1);
	ck_assert_int_eq(chosen_suite(&c, &s), GW_OK);
	ck_assert_uint_eq(s.encr->id, ENCR_AES_CBC);
	ck_assert_uint_eq(s.key_bits, 128);
	ck_assert_uint_eq(s.integ->id, INTEG_HMAC_SHA2_512_256);

	offer_of("chacha20poly1305-prfsha256-modp3072", PROTO_IKE, &offer);
	ck_assert_int_eq(proposal_choose(&offer, PROTO_IKE, ours, n, 15, PROPOSAL_DH_REQUIRED, &c, NULL), GW_OK);
	ck_assert_uint_eq(chosen_transforms(&c, t), 3);
	ck_assert_int_eq(chosen_suite(&c, &s), GW_OK);
	ck_assert_uint_eq(s.encr->id, ENCR_CHACHA20_POLY1305);
	ck_assert_ptr_null(s.integ);

	/* What was not agreed on by us. */
	c.encr = (struct transform){ TR_ENCR, 3, 0 };
	ck_assert_int_eq(chosen_suite(&c, &s), GW_EUNSUPPORTED);
	c.encr = (struct transform){ TR_ENCR, ENCR_AES_CBC, 256 };
	ck_assert_int_eq(chosen_suite(&c, &s), GW_EUNSUPPORTED);
	c.encr = (struct transform){ TR_ENCR, ENCR_AES_GCM_16, 100 };
	ck_assert_int_eq(chosen_suite(&c, &s), GW_EUNSUPPORTED);
	c.encr = (struct transform){ TR_ENCR, ENCR_AES_GCM_16, 256 };
	c.integ = (struct transform){ TR_INTEG, INTEG_HMAC_SHA2_256_128, 0 };
	ck_assert_int_eq(chosen_suite(&c, &s), GW_EUNSUPPORTED);
}
END_TEST

static bool contains(const struct transform *t, size_t n, const struct transform *one)
{
	for (size_t i = 0; i < n; i++) {
		if (t[i].type == one->type && t[i].id == one->id && t[i].key_bits == one->key_bits)
			return true;
	}
	return false;
}

static void random_set(struct rng *g, struct transform *t, size_t n)
{
	static const struct transform all[] = {
		{ TR_ENCR, ENCR_AES_CBC, 128 },
		{ TR_ENCR, ENCR_AES_CBC, 0 },
		{ TR_ENCR, ENCR_AES_GCM_16, 256 },
		{ TR_ENCR, ENCR_CHACHA20_POLY1305, 0 },
		{ TR_PRF, PRF_HMAC_SHA2_256, 0 },
		{ TR_PRF, PRF_HMAC_SHA2_512, 0 },
		{ TR_INTEG, INTEG_NONE, 0 },
		{ TR_INTEG, INTEG_HMAC_SHA2_256_128, 0 },
		{ TR_INTEG, INTEG_HMAC_SHA2_512_256, 0 },
		{ TR_DH, DH_NONE, 0 },
		{ TR_DH, DH_CURVE25519, 0 },
		{ TR_DH, DH_ECP_256, 0 },
		{ TR_ESN, ESN_YES, 0 },
		{ TR_ESN, ESN_NO, 0 },
	};

	for (size_t i = 0; i < n; i++)
		t[i] = all[rng_below(g, ARRAY_LEN(all))];
}

/* Whatever is chosen stands in one proposal of each side, fits together, and passes as an answer on the other side. */
START_TEST(choice_is_common_to_both)
{
	static struct sa_payload offer, answer;
	struct rng_seeded g;
	size_t chosen_count = 0;

	rng_seeded_init(&g, 3);
	for (int round = 0; round < 40000; round++) {
		uint8_t protocol = round % 2 ? PROTO_IKE : PROTO_ESP;
		uint16_t ke = rng_below(&g.rng, 2) ? DH_CURVE25519 : DH_NONE;
		enum proposal_dh dh = protocol == PROTO_IKE ? PROPOSAL_DH_REQUIRED : PROPOSAL_DH_OPTIONAL;
		struct proposal_cfg ours = { .n = 8 }, theirs = { .n = 8 };
		struct cipher_suite s;
		struct transform t[5];
		struct chosen c, again;
		enum gw_err rc;
		size_t n;

		random_set(&g.rng, ours.t, ours.n);
		random_set(&g.rng, theirs.t, theirs.n);
		memset(&offer, 0, sizeof(offer));
		offer.count = 1;
		offer.p[0] = (struct proposal){ 1, protocol, bytes_of(spi, protocol == PROTO_IKE ? 8 : 4), 0, 8 };
		memcpy(offer.t, theirs.t, sizeof(theirs.t));
		offer.transforms = 8;
		rc = proposal_choose(&offer, protocol, &ours, 1, ke, dh, &c, NULL);
		if (rc == GW_EPROPOSAL)
			continue;
		ck_assert(rc == GW_OK || rc == GW_EGROUP);
		ck_assert(rc != GW_EGROUP || c.dh.id != ke);
		n = chosen_transforms(&c, t);
		for (size_t i = 0; i < n; i++) {
			/* What we do not name of ESN is "no". */
			ck_assert(contains(ours.t, 8, &t[i]) || (t[i].type == TR_ESN && t[i].id == ESN_NO));
			ck_assert(contains(theirs.t, 8, &t[i]));
		}
		ck_assert_int_eq(chosen_suite(&c, &s), GW_OK);
		ck_assert_int_eq(c.prf.type != 0, protocol == PROTO_IKE);
		if (rc != GW_OK)
			continue;
		chosen_count++;
		memset(&answer, 0, sizeof(answer));
		answer.count = 1;
		answer.p[0] = offer.p[0];
		answer.p[0].count = (uint16_t)n;
		memcpy(answer.t, t, sizeof(t));
		answer.transforms = n;
		ck_assert_int_eq(proposal_answer(&answer, protocol, &theirs, 1, &again, NULL), GW_OK);
		ck_assert_uint_eq(again.encr.id, c.encr.id);
		ck_assert_uint_eq(again.dh.id, c.dh.id);
	}
	ck_assert_uint_gt(chosen_count, 500);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		ike_of_real_clients,	  ike_rules, esp_of_real_clients,   pfs_in_create_child_sa,
		other_protocols_and_spis, answers,   transforms_and_suites, choice_is_common_to_both,
	};

	return run_tests("proposal", tests, ARRAY_LEN(tests));
}
