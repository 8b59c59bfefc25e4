// Which pool a device is of (gpu.md E.3): the first of gpu.pools that names it by UUID or model, else the
// default one, whose name is "". Pure.
#pragma once

#include "config/options.hpp"
#include "store/rows.hpp"

#include <string>

namespace berth::gpu {

const std::string& pool_of(const config::GpuOptions& options, const store::DeviceRow& device);
// Everybody may see who holds its GPUs, and for whom they are kept.
bool is_open(const config::GpuOptions& options, const std::string& pool);
// For people: "the default pool", "pool big".
std::string pool_in_words(const std::string& pool);

}  // namespace berth::gpu
