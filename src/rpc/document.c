/* docs/RPC.md's tables, from the method table. */
#include "base/check.h"
#include "rpc/methods.h"

static const struct {
	const char *prefix, *title;
} sections[] = {
	{ "eth_", "Ethereum" },
	{ "net_", "Network" },
	{ "web3_", "Program" },
	{ "txpool_", "Pool" },
	{ "debug_", "Bytes" },
	{ "weft_", "Weft" },
	{ "rpc_", "Server" },
	{ "hardhat_", "Hardhat" },
};

static void put_params(struct buf *out, const char *shape)
{
	struct rpc_param p;
	bool is_first = true;

	while (rpc_shape_next(&shape, &p)) {
		const char *kind = rpc_arg_kind_name(p.kind);
		bool is_named = !bytes_equal(p.name, bytes_of_str(kind));

		buf_printf(out, "%s%s", is_first ? "" : ", ", p.is_optional ? "[" : "");
		if (is_named)
			buf_printf(out, "%.*s: ", (int)p.name.size, (const char *)p.name.data);
		buf_printf(out, "%s%s", kind, p.is_optional ? "]" : "");
		is_first = false;
	}
}

static void put_section(struct buf *out, const char *prefix, const char *title)
{
	size_t count;
	const struct rpc_method *methods = rpc_methods(&count);

	buf_printf(out, "\n### %s: `%s…`\n\n", title, prefix);
	buf_printf(out, "| Method | Parameters | Gives | | Cost |\n|---|---|---|---|---|\n");
	for (size_t k = 0; k < count; k++) {
		const struct rpc_method *m = &methods[k];

		if (strncmp(m->name, prefix, strlen(prefix)) != 0)
			continue;
		buf_printf(out, "| `%s` | ", m->name);
		put_params(out, m->params);
		buf_printf(out, " | %s | %s | %u |\n", m->returns, m->doc, m->cost);
	}
}

void rpc_document(struct buf *out)
{
	buf_printf(out, "### Kinds of parameters\n\n| Kind | What it is |\n|---|---|\n");
	for (int k = 0; k < RPC_ARG_KIND_COUNT; k++)
		buf_printf(out, "| %s | %s |\n", rpc_arg_kind_name((enum rpc_arg_kind)k),
			   rpc_arg_kind_doc((enum rpc_arg_kind)k));
	for (size_t k = 0; k < ARRAY_COUNT(sections); k++)
		put_section(out, sections[k].prefix, sections[k].title);
}
