#include "base/check.h"
#include "p2p/p2p.h"

const char *p2p_reason_name(enum p2p_reason reason)
{
	switch (reason) {
	case P2P_REASON_NONE: return "none";
	case P2P_REASON_STOPPING: return "stopping";
	case P2P_REASON_VERSION: return "version";
	case P2P_REASON_CHAIN: return "chain";
	case P2P_REASON_SIGNATURE: return "signature";
	case P2P_REASON_IDENTITY: return "identity";
	case P2P_REASON_NOT_ALLOWED: return "not-allowed";
	case P2P_REASON_SELF: return "self";
	case P2P_REASON_TWIN: return "twin";
	case P2P_REASON_DUPLICATE: return "duplicate";
	case P2P_REASON_FULL: return "full";
	case P2P_REASON_SCORE: return "score";
	case P2P_REASON_MALFORMED: return "malformed";
	case P2P_REASON_TIMEOUT: return "timeout";
	case P2P_REASON_SLOW: return "slow";
	case P2P_REASON_MEMORY: return "memory";
	case P2P_REASON_CLOSED: return "closed";
	}
	UNREACHABLE();
}

const char *p2p_offence_name(enum p2p_offence offence)
{
	switch (offence) {
	case P2P_OFFENCE_MALFORMED: return "malformed";
	case P2P_OFFENCE_RATE: return "rate";
	case P2P_OFFENCE_UNSOLICITED: return "unsolicited";
	case P2P_OFFENCE_NOT_VALIDATOR: return "not-validator";
	case P2P_OFFENCE_HELLO: return "hello";
	case P2P_OFFENCE_TRANSACTION: return "transaction";
	case P2P_OFFENCE_MESSAGE: return "message";
	case P2P_OFFENCE_BLOCK: return "block";
	case P2P_OFFENCE_EVIDENCE: return "evidence";
	case P2P_OFFENCE_REFUSED: return "refused";
	}
	UNREACHABLE();
}

const char *p2p_trace_name(enum p2p_trace trace)
{
	switch (trace) {
	case P2P_TRACE_OFFENCE: return "offence";
	case P2P_TRACE_REFUSED: return "refused";
	case P2P_TRACE_GOODBYE: return "goodbye";
	case P2P_TRACE_REPLACED: return "replaced";
	}
	UNREACHABLE();
}
