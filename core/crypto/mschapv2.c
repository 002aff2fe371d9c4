#include "core/crypto/mschapv2.h"

#include "core/crypto/des.h"
#include "core/crypto/md4.h"

enum { SHA1_LEN = 20, MASTER_KEY = 16, PAD = 40 };

/* One code point of UTF-8 without overlong forms and surrogates (RFC 3629 3). */
static uint32_t next_point(struct reader *r)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t first = rd_u8(r);
	size_t more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	uint32_t point = first;

	if (first >= 0x80) {
		if (first < 0xc2 || first > 0xf4)
			r->bad = true;
		point = first & (0x3fU >> more);
	}
	for (size_t i = 0; i < more; i++) {
		uint8_t byte = rd_u8(r);

		if ((byte & 0xc0) != 0x80)
			r->bad = true;
		point = point << 6 | (byte & 0x3f);
	}
	if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		r->bad = true;
	return point;
}

static void put_unit(struct writer *w, uint32_t unit)
{
	wr_u8(w, (uint8_t)unit);
	wr_u8(w, (uint8_t)(unit >> 8));
}

enum gw_err nt_hash(struct bytes password, uint8_t out[MSCHAPV2_HASH])
{
	uint8_t wide[2 * MSCHAPV2_PASSWORD_MAX];
	struct writer w = wr_of(wide, sizeof(wide));
	struct reader r = rd_of(password);

	while (r.left > 0 && !r.bad) {
		uint32_t point = next_point(&r);

		if (point < 0x10000) {
			put_unit(&w, point);
		} else {
			put_unit(&w, 0xd800 | (point - 0x10000) >> 10);
			put_unit(&w, 0xdc00 | (point & 0x3ff));
		}
	}
	if (!r.bad && !w.bad)
		md4(wr_done(&w), out);
	secret_wipe(wide, sizeof(wide));
	return r.bad ? GW_EMALFORMED : w.bad ? GW_ELIMIT : GW_OK;
}

/* ChallengeHash (8.2): the first 8 octets of the digest. */
static enum gw_err challenge_hash(struct crypto *c, const struct mschapv2 *x, uint8_t out[SHA1_LEN])
{
	const struct bytes parts[] = { bytes_of(x->peer_challenge, MSCHAPV2_CHALLENGE),
				       bytes_of(x->server_challenge, MSCHAPV2_CHALLENGE), x->user };

	return crypto_sha1(c, parts, ARRAY_LEN(parts), out);
}

enum gw_err mschapv2_response(struct crypto *c, const struct mschapv2 *x, uint8_t out[MSCHAPV2_RESPONSE])
{
	uint8_t challenge[SHA1_LEN], keys[3 * DES_KEY] = { 0 };

	TRY(challenge_hash(c, x, challenge));
	/* ChallengeResponse (8.5): the hash, padded with zeros, is three keys. */
	memcpy(keys, x->nt_hash, MSCHAPV2_HASH);
	for (size_t i = 0; i < 3; i++)
		des_encrypt(keys + i * DES_KEY, challenge, out + i * DES_BLOCK);
	secret_wipe(keys, sizeof(keys));
	return GW_OK;
}

enum gw_err mschapv2_proof(struct crypto *c, const struct mschapv2 *x, const uint8_t response[MSCHAPV2_RESPONSE],
			   uint8_t out[MSCHAPV2_PROOF])
{
	uint8_t hash_hash[MD4_LEN], challenge[SHA1_LEN], inner[SHA1_LEN];
	const struct bytes first[] = { bytes_of(hash_hash, sizeof(hash_hash)), bytes_of(response, MSCHAPV2_RESPONSE),
				       bytes_str("Magic server to client signing constant") };
	const struct bytes second[] = { bytes_of(inner, sizeof(inner)), bytes_of(challenge, DES_BLOCK),
					bytes_str("Pad to make it do more than one iteration") };
	enum gw_err rc;

	md4(bytes_of(x->nt_hash, MSCHAPV2_HASH), hash_hash);
	rc = crypto_sha1(c, first, ARRAY_LEN(first), inner);
	if (rc == GW_OK)
		rc = challenge_hash(c, x, challenge);
	if (rc == GW_OK)
		rc = crypto_sha1(c, second, ARRAY_LEN(second), out);
	secret_wipe(hash_hash, sizeof(hash_hash));
	return rc;
}

/* GetAsymmetricStartKey (RFC 3079 3.4) of 16 octets; `magic` says whose key it is. */
static enum gw_err start_key(struct crypto *c, const uint8_t master[MASTER_KEY], const char *magic, uint8_t *out)
{
	uint8_t zeros[PAD] = { 0 }, pad[PAD], digest[SHA1_LEN];
	const struct bytes parts[] = { bytes_of(master, MASTER_KEY), bytes_of(zeros, PAD), bytes_str(magic),
				       bytes_of(pad, PAD) };

	memset(pad, 0xf2, PAD);
	TRY(crypto_sha1(c, parts, ARRAY_LEN(parts), digest));
	memcpy(out, digest, 16);
	secret_wipe(digest, sizeof(digest));
	return GW_OK;
}

enum gw_err mschapv2_msk(struct crypto *c, const uint8_t hash[MSCHAPV2_HASH], const uint8_t response[MSCHAPV2_RESPONSE],
			 uint8_t out[MSCHAPV2_MSK])
{
	uint8_t hash_hash[MD4_LEN], master[SHA1_LEN];
	const struct bytes parts[] = { bytes_of(hash_hash, sizeof(hash_hash)), bytes_of(response, MSCHAPV2_RESPONSE),
				       bytes_str("This is the MPPE Master Key") };
	enum gw_err rc;

	memset(out, 0, MSCHAPV2_MSK);
	md4(bytes_of(hash, MSCHAPV2_HASH), hash_hash);
	rc = crypto_sha1(c, parts, ARRAY_LEN(parts), master); /* GetMasterKey: its first 16 octets */
	if (rc == GW_OK)
		rc = start_key(c, master,
			       "On the client side, this is the send key; on the server side, it is the receive key.",
			       out);
	if (rc == GW_OK)
		rc = start_key(c, master,
			       "On the client side, this is the receive key; on the server side, it is the send key.",
			       out + 16);
	secret_wipe(hash_hash, sizeof(hash_hash));
	secret_wipe(master, sizeof(master));
	return rc;
}
