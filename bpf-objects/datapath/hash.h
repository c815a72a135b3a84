/* The hash that selects a Maglev slot: Bob Jenkins' lookup3 as the kernel's jhash uses it, so that tables agree with the agent's. */
#pragma once
#include "common.h"

INLINE __u32 rotate_left(__u32 word, __u32 bits)
{
	return word << bits | word >> (32 - bits);
}

INLINE void hash_mix(__u32 *a, __u32 *b, __u32 *c)
{
	*a -= *c; *a ^= rotate_left(*c, 4); *c += *b;
	*b -= *a; *b ^= rotate_left(*a, 6); *a += *c;
	*c -= *b; *c ^= rotate_left(*b, 8); *b += *a;
	*a -= *c; *a ^= rotate_left(*c, 16); *c += *b;
	*b -= *a; *b ^= rotate_left(*a, 19); *a += *c;
	*c -= *b; *c ^= rotate_left(*b, 4); *b += *a;
}

INLINE void hash_final(__u32 *a, __u32 *b, __u32 *c)
{
	*c ^= *b; *c -= rotate_left(*b, 14);
	*a ^= *c; *a -= rotate_left(*c, 11);
	*b ^= *a; *b -= rotate_left(*a, 25);
	*c ^= *b; *c -= rotate_left(*b, 16);
	*a ^= *c; *a -= rotate_left(*c, 4);
	*b ^= *a; *b -= rotate_left(*a, 14);
	*c ^= *b; *c -= rotate_left(*b, 24);
}

/* Of three words; the constant is jhash's initial value plus the length in bytes. */
INLINE __u32 hash_words(__u32 a, __u32 b, __u32 c, __u32 seed)
{
	seed += 0xdeadbeef + 12;
	a += seed;
	b += seed;
	c += seed;
	hash_final(&a, &b, &c);
	return c;
}
