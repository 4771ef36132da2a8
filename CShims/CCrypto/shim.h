// Swift's importer would warn of what OpenSSL calls deprecated: see `DigestBuilder`.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
