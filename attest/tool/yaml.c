/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/tool/bytes.h"

bool yaml_wrong(struct yaml *y, const yaml_node_t *node, const char *what)
{
	if (!y->bad)
		snprintf(y->why, YAML_WHY, "line %zu: %s", node ? node->start_mark.line + 1 : 0,
			 what);
	y->bad = true;
	return false;
}

bool yaml_open(struct yaml *y, const uint8_t *text, size_t n, char why[YAML_WHY])
{
	yaml_document_t more;
	yaml_parser_t parser;
	bool ok;

	*y = (struct yaml){.why = why};
	if (!yaml_parser_initialize(&parser))
		need(NULL);
	yaml_parser_set_input_string(&parser, text, n);
	ok = yaml_parser_load(&parser, &y->doc);
	if (!ok)
		snprintf(why, YAML_WHY, "line %zu: %s", parser.problem_mark.line + 1,
			 parser.problem ? parser.problem : "not YAML");
	if (ok && yaml_parser_load(&parser, &more)) {
		ok = !yaml_document_get_root_node(&more);
		yaml_document_delete(&more);
	} else if (ok) {
		ok = false;
	}
	if (!ok && !*why)
		snprintf(why, YAML_WHY, "not one document");
	ok = ok && yaml_root(y);
	if (!ok) {
		yaml_document_delete(&y->doc);
		if (!*why)
			snprintf(why, YAML_WHY, "nothing in it");
	}
	yaml_parser_delete(&parser);
	return ok;
}

void yaml_close(struct yaml *y)
{
	yaml_document_delete(&y->doc);
}

yaml_node_t *yaml_root(struct yaml *y)
{
	return yaml_document_get_root_node(&y->doc);
}

const char *yaml_text(struct yaml *y, yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE ||
	    strlen((char *)node->data.scalar.value) != node->data.scalar.length) {
		yaml_wrong(y, node, "is to be a text");
		return NULL;
	}
	return (char *)node->data.scalar.value;
}

bool yaml_map(struct yaml *y, yaml_node_t *node, const struct yaml_key *keys, unsigned int count,
	      void *arg)
{
	uint32_t seen = 0;

	if (!node || node->type != YAML_MAPPING_NODE)
		return yaml_wrong(y, node, "is to be a mapping");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(&y->doc, pair->key);
		const char *name = yaml_text(y, key);
		unsigned int i;

		if (!name)
			return false;
		for (i = 0; i < count && strcmp(keys[i].name, name) != 0; i++)
			;
		if (i == count)
			return yaml_wrong(y, key, "a key that is not known");
		if (seen & 1u << i)
			return yaml_wrong(y, key, "a key twice");
		seen |= 1u << i;
		if (!keys[i].read(y, yaml_document_get_node(&y->doc, pair->value), arg))
			return false;
	}
	for (unsigned int i = 0; i < count; i++)
		if (keys[i].must && !(seen & 1u << i)) {
			char what[80];

			snprintf(what, sizeof(what), "`%s` is missing", keys[i].name);
			return yaml_wrong(y, node, what);
		}
	return true;
}

bool yaml_each(struct yaml *y, yaml_node_t *node,
	       bool (*read)(struct yaml *y, yaml_node_t *item, void *arg), void *arg)
{
	if (!node || node->type != YAML_SEQUENCE_NODE)
		return yaml_wrong(y, node, "is to be a list");
	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++)
		if (!read(y, yaml_document_get_node(&y->doc, *item), arg))
			return false;
	return true;
}

bool yaml_number(struct yaml *y, yaml_node_t *node, uint32_t max, uint32_t *out)
{
	const char *text = yaml_text(y, node);
	size_t n = text ? strspn(text, "0123456789") : 0;

	if (!text)
		return false;
	*out = (uint32_t)strtoul(text, NULL, 10);
	if (!n || n > 9 || text[n] || (n > 1 && *text == '0') || *out > max)
		return yaml_wrong(y, node, "is to be a number, and not that large");
	return true;
}

bool yaml_bool(struct yaml *y, yaml_node_t *node, bool *out)
{
	const char *text = yaml_text(y, node);

	if (!text)
		return false;
	*out = !strcmp(text, "true");
	return *out || !strcmp(text, "false") || yaml_wrong(y, node, "is to be true or false");
}

bool yaml_hash(struct yaml *y, yaml_node_t *node, uint8_t out[32])
{
	const char *text = yaml_text(y, node);

	return text && (hex_decode(out, text, 32) ||
			yaml_wrong(y, node, "is to be a SHA-256 hash: 64 hexadecimal digits"));
}
