/* A stand-in for the driver's libnvidia-ml.so.1, on machines that have none: it says what STAND_IN_* tells it to.
 * What is tested through it is how we ask the real nvidia-ml-py, and never CUDA. */
#include <stdio.h>
#include <stdlib.h>

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

int nvmlInitWithFlags(unsigned flags) { return number("STAND_IN_ERROR"); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "words of the stand-in"; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    return snprintf(text, size, "550.90.07") < 0;
}
int nvmlDeviceGetCount_v2(unsigned *count) { *count = number("STAND_IN_CARDS"); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(long)(index + 1);
    return (int)index < number("STAND_IN_LOST") ? 15 : 0; /* 15: the GPU is lost */
}
int nvmlDeviceGetName(void *handle, char *text, unsigned size) {
    return snprintf(text, size, "NVIDIA Stand-in") < 0;
}
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    *major = 9; *minor = 0;
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *memory) {
    memory[0] = 80ull << 30; memory[1] = memory[0]; memory[2] = 0;
    return 0;
}
