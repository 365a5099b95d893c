/* SPDX-License-Identifier: Apache-2.0 */
/* A document of YAML, read strictly: no key that is not known, none twice, no text for a number. */
#ifndef ATTEST_TOOL_YAML_H
#define ATTEST_TOOL_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#define YAML_WHY 160

struct yaml {
	yaml_document_t doc;
	char *why; /* YAML_WHY bytes: the first that was wrong */
	bool bad;
};

/* false with y->why. A text of one document. */
bool yaml_open(struct yaml *y, const uint8_t *text, size_t n, char why[YAML_WHY]);
void yaml_close(struct yaml *y);
yaml_node_t *yaml_root(struct yaml *y);

/* All return false, and set bad and why with the node's line, if it is not so. */
bool yaml_wrong(struct yaml *y, const yaml_node_t *node, const char *what);

struct yaml_key {
	const char *name;
	bool (*read)(struct yaml *y, yaml_node_t *value, void *arg);
	bool must;
};
/* A mapping of keys of that table. */
bool yaml_map(struct yaml *y, yaml_node_t *node, const struct yaml_key *keys, unsigned int count,
	      void *arg);
/* Each item of a sequence. */
bool yaml_each(struct yaml *y, yaml_node_t *node,
	       bool (*read)(struct yaml *y, yaml_node_t *item, void *arg), void *arg);
/* NULL if it is not a scalar, or has a NUL. */
const char *yaml_text(struct yaml *y, yaml_node_t *node);
bool yaml_number(struct yaml *y, yaml_node_t *node, uint32_t max, uint32_t *out);
bool yaml_bool(struct yaml *y, yaml_node_t *node, bool *out);
bool yaml_hash(struct yaml *y, yaml_node_t *node, uint8_t out[32]);

#endif
