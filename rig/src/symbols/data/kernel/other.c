/* The same name again, with another size. */
extern volatile int sink;

static void __attribute__((noinline)) twice(int value)
{
	sink = value;
	sink = value + 1;
	sink = value + 2;
}

void second(void)
{
	twice(2);
	sink = 4;
}
