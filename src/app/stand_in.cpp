#include "app/stand_in.hpp"

#include "base/program.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace berth::app {
std::string_view text_of(StandInErrc reason) {
    switch (reason) {
        case StandInErrc::not_built:
            return "stand-in library not built";
        case StandInErrc::not_writable:
            return "model not writable";
    }
    return "unknown";
}

Result<void> use_stand_in_gpus(config::Options& options, unsigned count) {
    const std::filesystem::path program = own_program();
    const auto library = program.parent_path() / "stand-ins" / "libnvidia-ml.so.1";
    if (!std::filesystem::exists(library))
        return Error{
            StandInErrc::not_built,
            "The stand-in GPU library is not there (" + library.string() +
                "). Build it: ./run --build --stand-in-gpus 1"};
    const auto model = std::filesystem::absolute(options.state_dir) / "stand-in-gpus.model";
    std::error_code failure;
    std::filesystem::create_directories(model.parent_path(), failure);
    std::ofstream out(model, std::ios::trunc);
    out << "driver 550.54.15\n";
    for (unsigned i = 0; i < count; ++i)
        out << "gpu\nname Simulated GPU\n";
    if (!out.flush())
        return Error{
            StandInErrc::not_writable, "Cannot write " + model.string() + ". Check the rights of state_dir."};
    ::setenv("BERTH_NVML_MODEL", model.c_str(), 1);
    options.gpu.agent = true;
    options.gpu.nvml_library = library.string();
    options.gpu.simulated = true;
    options.docker.simulated_gpus = true;
    return {};
}

}  // namespace berth::app
