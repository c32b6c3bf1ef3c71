/* The fuzz targets without a fuzzer: each file named on the command line is one input. */
#include <stdio.h>

#include "fuzz.h"

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        must(file != NULL && fseek(file, 0, SEEK_END) == 0);
        long size = ftell(file);
        must(size >= 0);
        rewind(file);
        uint8_t *bytes = malloc((size_t)size + 1);
        must(bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size);
        fclose(file);
        printf("%s\n", paths[i]);
        fflush(stdout);
        LLVMFuzzerTestOneInput(bytes, (size_t)size);
        free(bytes);
    }
    return 0;
}
