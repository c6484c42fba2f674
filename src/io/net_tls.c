#include "io/net_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "base/check.h"

/* Certificates say nothing here: identity is proven inside, over the exporter. */
static int accept_any(X509_STORE_CTX *store, void *ctx)
{
	(void)ctx;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

/* Valid for ever (RFC 5280 §4.1.2.5): no clock of either side matters. */
static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name;
	uint8_t serial[8];

	CHECK(x && RAND_bytes(serial, sizeof(serial)) == 1);
	serial[0] &= 0x7f;
	name = X509_get_subject_name(x);
	CHECK(X509_set_version(x, X509_VERSION_3) == 1 &&
	      ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), load_be64(serial)) == 1 &&
	      ASN1_TIME_set_string(X509_getm_notBefore(x), "19700101000000Z") == 1 &&
	      ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") == 1 &&
	      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"weft", -1, -1,
					 0) == 1 &&
	      X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	      X509_sign(x, key, NULL) > 0);
	return x;
}

SSL_CTX *net_tls_new(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	SSL_CTX *tls = SSL_CTX_new(TLS_method());
	char groups[] = "X25519:P-256"; /* OpenSSL's macro casts const away */
	X509 *certificate;

	if (!key || !tls)
		fatal("OpenSSL gives no TLS context: %s", net_tls_error());
	certificate = make_certificate(key);
	CHECK(SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
	      SSL_CTX_set_max_proto_version(tls, TLS1_3_VERSION) == 1 &&
	      SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
					    "TLS_AES_256_GCM_SHA384") == 1 &&
	      SSL_CTX_set1_groups_list(tls, groups) == 1 &&
	      SSL_CTX_use_certificate(tls, certificate) == 1 &&
	      SSL_CTX_use_PrivateKey(tls, key) == 1);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(tls, accept_any, NULL);
	/* Every connection proves itself anew: nothing to resume. */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	CHECK(SSL_CTX_set_num_tickets(tls, 0) == 1);
	SSL_CTX_set_options(tls, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Several records a read call. */
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_default_read_buffer_len(tls, LIMIT_P2P_READ_SIZE);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return tls;
}

const char *net_tls_error(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "";
}
