/* A kernel of a few functions: what symbols/data/vmlinux was built of. */
const char linux_banner[] = "Linux version 6.1.0-test (somebody@somewhere) #1\n";

volatile int sink;

static inline __attribute__((always_inline)) void inner(int value)
{
	sink = value;
	sink += 1;
}

void __attribute__((noinline)) panic(int value)
{
	inner(value);
	sink = 0;
}

static void __attribute__((noinline)) twice(int value)
{
	sink = value;
}

void first(void)
{
	twice(1);
	panic(2);
	sink = 3;
}
