/* A stand-in for NVIDIA's management library: what the tests tell it to be, so that the real bindings run where
 * there is no GPU. Nothing of CUDA is in it. Built by tests/machine/conftest.py:
 *   cc -shared -fPIC -o libnvidia-ml.so.1 nvml_stub.c
 *
 * STANDIN_GPUS     names, separated by `;`     STANDIN_CAPABILITY  of all of them, `9.0`
 * STANDIN_DRIVER   `550.54.15`                 STANDIN_CUDA        `12040`
 * STANDIN_ERROR    what starting it returns (9: the driver is not loaded)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3 };

static const char *told(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

static unsigned count(void) {
  const char *names = told("STANDIN_GPUS", "");
  unsigned found = *names ? 1 : 0;
  for (; *names; names++)
    found += *names == ';';
  return found;
}

/* A handle is the number of its GPU, counted from 1. */
static int known(void *handle) { return (size_t)handle >= 1 && (size_t)handle <= count(); }

int nvmlInitWithFlags(unsigned flags) { (void)flags; return atoi(told("STANDIN_ERROR", "0")); }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "stand-in error"; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
  snprintf(text, size, "%s", told("STANDIN_DRIVER", "550.54.15"));
  return OK;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
  *version = atoi(told("STANDIN_CUDA", "12040"));
  return OK;
}

int nvmlDeviceGetCount_v2(unsigned *found) { *found = count(); return OK; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  if (index >= count()) return INVALID;
  *handle = (void *)(size_t)(index + 1);
  return OK;
}

int nvmlDeviceGetName(void *handle, char *text, unsigned size) {
  const char *start = told("STANDIN_GPUS", "");
  if (!known(handle)) return INVALID;
  for (size_t skipped = 1; skipped < (size_t)handle; skipped++)
    start = strchr(start, ';') + 1;
  snprintf(text, size, "%.*s", (int)strcspn(start, ";"), start);
  return OK;
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
  if (!known(handle)) return INVALID;
  return sscanf(told("STANDIN_CAPABILITY", ""), "%d.%d", major, minor) == 2 ? OK : NOT_SUPPORTED;
}
