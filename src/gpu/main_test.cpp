// gpu_test is also the agent that its tests start, as the product's binary is the hub's.
#include "gpu/agent.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
    if (argc == 6 && std::string_view(argv[1]) == "gpu-agent") {
        return berth::gpu::agent_main(
            {.library = argv[3], .interval = std::chrono::milliseconds(std::atoi(argv[5]))});
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
