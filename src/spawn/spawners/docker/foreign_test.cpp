// Which GPUs a container of somebody else was given, however they were asked for (gpu.md A.1 to A.5).
#include "spawn/spawners/docker/containers.hpp"

#include <gtest/gtest.h>

namespace berth::spawn::docker {
namespace {

using Claims = std::vector<std::string>;

Claims claims(std::string_view text) {
    return claims_of(json::parse(text));
}

TEST(ForeignContainer, ClaimsWhatItWasGiven) {
    EXPECT_EQ(
        claims(R"({"HostConfig":{"DeviceRequests":[{"Driver":"nvidia","DeviceIDs":["GPU-a","1"]}]}})"),
        (Claims{"GPU-a", "1"}));
    EXPECT_EQ(
        claims(R"({"HostConfig":{"DeviceRequests":[{"Count":-1,"Capabilities":[["gpu"]]}]}})"),
        (Claims{"*"}));
    EXPECT_EQ(claims(R"({"HostConfig":{"DeviceRequests":[{"Count":2}]}})"), (Claims{"0", "1"}))
        << "always the first ones";
    EXPECT_EQ(
        claims(R"({"HostConfig":{"DeviceRequests":[{"Driver":"cdi","DeviceIDs":["nvidia.com/gpu=all"]}]}})"),
        (Claims{"*"}));
    EXPECT_EQ(
        claims(
            R"({"HostConfig":{"Devices":[{"PathOnHost":"/dev/nvidia0"},{"PathOnHost":"/dev/nvidiactl"}]}})"),
        (Claims{"/dev/nvidia0"}));
    EXPECT_EQ(
        claims(
            R"({"HostConfig":{"Runtime":"nvidia"},"Config":{"Env":["NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-c"]}})"),
        (Claims{"GPU-b", "GPU-c"}));
}

TEST(ForeignContainer, ClaimsNothingByItsEnvironmentAlone) {
    EXPECT_TRUE(claims(R"({"HostConfig":{"Runtime":"runc"},"Config":{"Env":["NVIDIA_VISIBLE_DEVICES=all"]}})")
                    .empty());
    EXPECT_TRUE(
        claims(R"({"HostConfig":{"Runtime":"nvidia"},"Config":{"Env":["NVIDIA_VISIBLE_DEVICES=void"]}})")
            .empty());
    EXPECT_TRUE(claims(R"({"HostConfig":{"DeviceRequests":[{"Driver":"amd","Count":-1}]}})").empty());
    EXPECT_TRUE(claims("[]").empty());
}

TEST(MachineList, TellsOursFromAnotherBerthsAndFromForeignOnes) {
    const auto machine = machine_in(
        R"([{"Id":"a","Names":["/ours"],"State":"running","Created":1700000000,
             "Labels":{"berth.instance":"me","berth.server":"7","berth.generation":"2","berth.user":"ann"},
             "NetworkSettings":{"Networks":{"berth":{"IPAddress":"10.0.0.2"}}}},
            {"Id":"b","Names":["/theirs"],"State":"running",
             "Labels":{"berth.instance":"other","berth.server":"7","berth.generation":"2","berth.gpu":"GPU-x"}},
            {"Id":"c","Names":["/foreign"],"State":"running","Labels":{}},
            {"Id":"d","Names":["/over"],"State":"exited","Labels":{}}, 5, {"Id":7}])",
        "me",
        "berth",
        8888);
    ASSERT_TRUE(machine);
    ASSERT_EQ(machine->found.size(), 1U);
    EXPECT_EQ(machine->found[0].endpoint.url, "http://10.0.0.2:8888");
    EXPECT_EQ(machine->found[0].created, Timestamp(std::chrono::seconds(1700000000)));
    ASSERT_EQ(machine->others.size(), 2U);
    EXPECT_EQ(machine->others[0].devices, (Claims{"GPU-x"})) << "from its label, nothing to ask";
    EXPECT_EQ(machine->others[1].name, "foreign");
    EXPECT_FALSE(machine->others[1].devices) << "to be looked at";
    EXPECT_FALSE(machine_in("{}", "me", "berth", 8888));
    EXPECT_FALSE(machine_in("[{", "me", "berth", 8888));
}

}  // namespace
}  // namespace berth::spawn::docker
