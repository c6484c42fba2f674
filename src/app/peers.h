/*
 * peers - what the operator says of the network: the node's key, whom to stay
 * connected with, who may connect.
 */
#ifndef WEFT_APP_PEERS_H
#define WEFT_APP_PEERS_H

#include "app/options.h"
#include "crypto/ecc.h"
#include "p2p/p2p.h"

#define PEER_STATIC_MAX 128

struct peers {
	struct p2p_static statics[PEER_STATIC_MAX];
	size_t static_count;
	struct addr allowed[OPTION_LIST_MAX];
	size_t allowed_count;
};

/* Reads "ADDRESS@HOST:PORT" of each peer and the addresses that may connect
 * besides. Endpoints point into the options' texts. APP_E_USAGE names what is wrong. */
int peers_parse(struct peers *out, const struct option_list *peers, const struct option_list *allowed,
		struct err *err);

/* The node's own key, for a node that is no validator: DATADIR/nodekey, 64
 * hexadecimal digits, mode 0600; made from entropy where there is none. */
int peers_node_key(struct secret_key *out, const struct ecc *ecc, const char *datadir, struct err *err);

#endif
