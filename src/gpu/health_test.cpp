#include "gpu/health.hpp"

#include <gtest/gtest.h>

namespace berth::gpu {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Timestamp kNow(hours(24 * 365 * 50));

DeviceStatus device(const char* uuid, Health health, const char* detail = "") {
    DeviceStatus status;
    status.row.uuid = DeviceUuid(uuid);
    status.health = health;
    status.health_detail = detail;
    return status;
}

store::LeaseRow lease(std::initializer_list<const char*> uuids) {
    store::LeaseRow row;
    for (const char* uuid : uuids)
        row.devices.emplace_back(uuid);
    return row;
}

TEST(Health, ALeaseOfSeveralIsFlaggedWholeForItsOneSickMember) {
    const std::vector devices{
        device("GPU-a", Health::healthy),
        device("GPU-b", Health::unhealthy, "reset required"),
        device("GPU-c", Health::gone),
        device("GPU-d", Health::suspect)};
    const std::map<LeaseId, store::LeaseRow> leases{
        {LeaseId{1}, lease({"GPU-a"})},
        {LeaseId{2}, lease({"GPU-d", "GPU-a", "GPU-b"})},
        {LeaseId{3}, lease({"GPU-c"})},
        {LeaseId{4}, lease({"GPU-d"})}};
    const auto sick = sick_leases(leases, devices);
    ASSERT_EQ(sick.size(), 2U) << "a suspect device serves who has it";
    EXPECT_EQ(sick[0].lease, LeaseId{2});
    EXPECT_EQ(sick[0].sick, std::vector{DeviceUuid("GPU-b")});
    EXPECT_NE(sick[0].text.find("1 of your 3 GPUs"), std::string::npos) << sick[0].text;
    EXPECT_NE(sick[0].text.find("GPU-b (reset required)"), std::string::npos) << sick[0].text;
    EXPECT_EQ(sick[1].lease, LeaseId{3});
    EXPECT_NE(sick[1].text.find("Your GPU is out of order: GPU-c."), std::string::npos) << sick[1].text;
}

TEST(Health, AnXidIsTheProgramsOrTheDevices) {
    for (const std::uint32_t number : {13U, 31U, 43U, 45U, 68U, 109U})
        EXPECT_EQ(xid_of(number).action, XidAction::program) << number;
    for (const std::uint32_t number : {48U, 64U, 74U, 92U, 95U, 119U, 120U, 9999U})
        EXPECT_EQ(xid_of(number).action, XidAction::unhealthy) << number;
    EXPECT_EQ(xid_of(63).action, XidAction::drain);
    EXPECT_EQ(xid_of(94).action, XidAction::restart);
    EXPECT_EQ(xid_of(79).action, XidAction::gone);
    EXPECT_FALSE(xid_of(9999).text.empty());
}

TEST(Health, ManyFaultsOfSeveralPeopleMakeADeviceSuspect) {
    const DeviceUuid here("GPU-a"), there("GPU-b");
    std::vector<XidReport> reports;
    for (int i = 0; i < 5; ++i)
        reports.push_back({here, 31, kNow - minutes(10 * i), UserId{1}});
    EXPECT_FALSE(faults_make_suspect(here, reports, kNow)) << "one person's program is their own affair";
    reports[4].user = UserId{2};
    EXPECT_TRUE(faults_make_suspect(here, reports, kNow));
    EXPECT_FALSE(faults_make_suspect(there, reports, kNow));
    EXPECT_FALSE(faults_make_suspect(here, reports, kNow + minutes(20))) << "the oldest is an hour old";
    reports[0].number = 48;  // the device's own, which has made it unhealthy anyway
    EXPECT_FALSE(faults_make_suspect(here, reports, kNow));
}

TEST(Health, ADriverThatDoesNotFitIsSaidToEverybody) {
    AgentError error;
    EXPECT_FALSE(machine_trouble(std::nullopt));
    error.reason = "library_missing";
    EXPECT_FALSE(machine_trouble(error));
    error.reason = "version_mismatch";
    EXPECT_TRUE(machine_trouble(error));
}

}  // namespace
}  // namespace berth::gpu
