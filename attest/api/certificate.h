/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTEST_API_CERTIFICATE_H
#define ATTEST_API_CERTIFICATE_H

/*
 * A P-256 key and a certificate signed with itself, as key.pem and cert.pem in a directory that has neither, and on stdout
 * the SHA-256 of its SubjectPublicKeyInfo, which a tenant can pin. 0 or -1.
 */
int certificate_make(const char *dir);

#endif
