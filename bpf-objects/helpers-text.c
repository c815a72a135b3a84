// Text helpers on inputs that a test gives, results beside them: one map element holds all cases of a kind.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define ONE_ELEMENT(name, content)               \
	struct {                                \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 1);         \
		__type(key, __u32);             \
		__type(value, content);         \
	} name SEC(".maps")

// snprintf: formats must be constants, so the program says itself what it did.
#define FORMATS 96

struct text {
	char format[48];
	char string[24]; /* what pointer arguments point to */
	__u64 args[4];
	__u32 count;
	__u32 pointers; /* bit n: argument n points to string */
	__u32 size;
	__u32 pad;
	__s64 result;
	char text[96];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FORMATS);
	__type(key, __u32);
	__type(value, struct text);
} texts SEC(".maps");

#define CASE(format_text, length, pointed, pointer_bits, number, ...)                              \
	do {                                                                                       \
		static const char format[] = format_text;                                          \
		static const char content[] = pointed;                                             \
		const __u64 values[] = { __VA_ARGS__ };                                            \
		struct text *text = bpf_map_lookup_elem(&texts, &next);                            \
		if (!text)                                                                         \
			return TC_ACT_SHOT;                                                        \
		__builtin_memcpy(text->format, format, sizeof(format));                            \
		__builtin_memcpy(text->string, content, sizeof(content));                          \
		__builtin_memset(text->text, '~', sizeof(text->text));                             \
		_Pragma("unroll") for (int i = 0; i < (number); i++)                               \
			text->args[i] = (pointer_bits) >> i & 1 ? (__u64)text->string : values[i]; \
		text->count = number;                                                              \
		text->pointers = pointer_bits;                                                     \
		text->size = length;                                                               \
		text->result = bpf_snprintf(text->text, length, format, (number) ? text->args : 0, (number) * 8); \
		next++;                                                                            \
	} while (0)

#define NUMBER(format, value) CASE(format, 96, "", 0, 1, value)
#define STRING(format, value) CASE(format, 96, value, 1, 1, 0)
#define ADDRESS(format) CASE(format, 96, "\x0a\x00\x02\xff\xfe\x80\x01\x02\x03\x04\x05\x06\x07\x08\x09\xab", 1, 1, 0)

SEC("tc")
int numbers_as_text(struct __sk_buff *skb)
{
	__u32 next = 0;

	NUMBER("%d", 0);
	NUMBER("%d", -1);
	NUMBER("%d", 0x80000000);
	NUMBER("%d", 0x1ffffffff);
	NUMBER("%i", 42);
	NUMBER("%u", -1);
	NUMBER("%x", 0xdeadbeef);
	NUMBER("%X", 0xdeadbeef);
	NUMBER("%ld", -1);
	NUMBER("%ld", 0x8000000000000000);
	NUMBER("%lld", 0x7fffffffffffffff);
	NUMBER("%lu", -1);
	NUMBER("%llu", 1);
	NUMBER("%lx", 0x0123456789abcdef);
	NUMBER("%llX", 0xfedcba9876543210);
	NUMBER("%5d", 42);
	NUMBER("%5d", -42);
	NUMBER("%5d", 1234567);
	NUMBER("%05d", 42);
	NUMBER("%05d", -42);
	NUMBER("%-5d|", 42);
	NUMBER("%-05d|", 42);
	NUMBER("%+d", 42);
	NUMBER("%+d", -42);
	NUMBER("%+u", 42);
	NUMBER("% d", 42);
	NUMBER("% +d", 42);
	NUMBER("%+05d", 42);
	NUMBER("% 05d", 42);
	NUMBER("%08x", 0xbeef);
	NUMBER("%+x", 0xbeef);
	NUMBER("%12lx", 0xbeef);
	NUMBER("%-12lx|", 0xbeef);
	NUMBER("%0-8X|", 0xbeef);
	NUMBER("%40d", 1);
	NUMBER("%110d", 1);
	NUMBER("a%db", 7);
	NUMBER("%%%d%%", 7);
	NUMBER("%c", 'x');
	NUMBER("%c", 0x141);
	NUMBER("%5c|", 'x');
	NUMBER("%-5c|", 'x');
	NUMBER("%05c|", 'x');
	NUMBER("\t%d\n", 3);
	return TC_ACT_OK;
}

SEC("tc")
int strings_as_text(struct __sk_buff *skb)
{
	__u32 next = 0;

	STRING("%s", "hello");
	STRING("%s", "");
	STRING("%10s|", "hello");
	STRING("%-10s|", "hello");
	STRING("%010s|", "hello");
	STRING("%3s|", "hello");
	STRING("<%s>", "hello");
	STRING("%pks", "hello");
	NUMBER("%s", 0);
	NUMBER("[%s]", 1);
	ADDRESS("%pI4");
	ADDRESS("%pi4");
	ADDRESS("%pI6");
	ADDRESS("%pi6");
	ADDRESS("%20pI4|");
	ADDRESS("%-20pI6|");
	ADDRESS("%pI4:80");
	ADDRESS("%pI4abc");
	ADDRESS("%pI4 end");
	NUMBER("%pI4", 0);
	NUMBER("%pI6", 0);
	NUMBER("%px", 0x12345);
	NUMBER("%px", 0xffff888012345678);
	NUMBER("%20px|", 0x12345);
	NUMBER("%020px|", 0x12345);
	NUMBER("%-20px|", 0x12345);
	NUMBER("%pxabc", 0x12345);
	NUMBER("%px-abc", 0x12345);
	NUMBER("%p", 0);
	NUMBER("%pK", 0);
	NUMBER("%pS", 0x1234);
	NUMBER("%ps|", 0x1234);
	NUMBER("%pB|", 0x1234);
	NUMBER("%10ps|", 0x12);
	NUMBER("%10pB|", 0x12);
	CASE("", 96, "", 0, 0, 0);
	CASE("plain", 96, "", 0, 0, 0);
	CASE("100%%", 96, "", 0, 0, 0);
	CASE("plain", 1, "", 0, 0, 0);
	CASE("plain", 3, "", 0, 0, 0);
	CASE("plain", 5, "", 0, 0, 0);
	CASE("plain", 6, "", 0, 0, 0);
	CASE("%d %s %x", 96, "mid", 2, 3, -5, 0, 255);
	CASE("%d %s %x", 6, "mid", 2, 3, -5, 0, 255);
	CASE("%s %d", 4, "longer than", 1, 2, 0, 77);
	CASE("%c%ld%c%d", 96, "", 0, 4, 'a', -9, 'b', 8);
	CASE("%d", 96, "", 0, 2, 1, 2);
	CASE("%lx:%lx:%lx:%lx", 96, "", 0, 4, 1, 0x22, 0x333, 0xffffffffffffffff);
	CASE("%d%d%d%d", 8, "", 0, 4, 111, 222, 333, 444);
	return TC_ACT_OK;
}

// trace_printk: any format; only its result can be seen.
#define TRACES 128

struct trace {
	char format[32];
	__u64 args[3];
	__u32 length;
	__u32 pad;
	__s64 result;
};

struct traces {
	struct trace cases[TRACES];
};
ONE_ELEMENT(trace_map, struct traces);

SEC("tc")
int trace(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct traces *traces = bpf_map_lookup_elem(&trace_map, &zero);

	if (!traces)
		return TC_ACT_SHOT;
	for (int i = 0; i < TRACES; i++) {
		struct trace *trace = &traces->cases[i];
		__u32 length = trace->length;

		if (length == 0 || length > sizeof(trace->format))
			continue;
		trace->result = bpf_trace_printk(trace->format, length, trace->args[0], trace->args[1], trace->args[2]);
	}
	return TC_ACT_OK;
}

// strtol and strtoul
#define NUMBERS 128

struct number {
	char text[80];
	__u32 length;
	__u32 is_unsigned;
	__u64 flags;
	__s64 result;
	__s64 value;
};

struct numbers {
	struct number cases[NUMBERS];
};
ONE_ELEMENT(number_map, struct numbers);

SEC("tc")
int parse(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct numbers *numbers = bpf_map_lookup_elem(&number_map, &zero);

	if (!numbers)
		return TC_ACT_SHOT;
	for (int i = 0; i < NUMBERS; i++) {
		struct number *number = &numbers->cases[i];
		__u32 length = number->length;
		long value = 0x5555;

		if (length == 0 || length > sizeof(number->text))
			continue;
		if (number->is_unsigned)
			number->result = bpf_strtoul(number->text, length, number->flags, (unsigned long *)&value);
		else
			number->result = bpf_strtol(number->text, length, number->flags, &value);
		number->value = value;
	}
	return TC_ACT_OK;
}

// strncmp with four constants
#define WORDS 32

struct words {
	struct {
		char text[16];
		__u32 length;
		__s32 results[4];
		__u32 pad;
	} cases[WORDS];
};
ONE_ELEMENT(word_map, struct words);

static const char word_empty[] = "";
static const char word_short[] = "ab";
static const char word_long[] = "abcdef";
static const char word_high[] = "\xff\x80z";

SEC("tc")
int compare(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct words *words = bpf_map_lookup_elem(&word_map, &zero);

	if (!words)
		return TC_ACT_SHOT;
	for (int i = 0; i < WORDS; i++) {
		char *text = words->cases[i].text;
		__u32 length = words->cases[i].length;

		if (length == 0 || length > sizeof(words->cases[i].text))
			continue;
		words->cases[i].results[0] = bpf_strncmp(text, length, word_empty);
		words->cases[i].results[1] = bpf_strncmp(text, length, word_short);
		words->cases[i].results[2] = bpf_strncmp(text, length, word_long);
		words->cases[i].results[3] = bpf_strncmp(text, length, word_high);
	}
	return TC_ACT_OK;
}
