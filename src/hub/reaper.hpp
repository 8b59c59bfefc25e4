// Ends servers: removes the route and what the backend holds, and only when the backend itself said that it
// is gone ends the lease and the credentials and marks the row stopped or failed. Tries again with back-off
// until then, so a device never goes back before its last possible user is gone (design.md §4.3). Hub strand
// only.
#pragma once

#include "hub/context.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>

namespace berth::hub {

class Reaper {
public:
    explicit Reaper(Context& context) : context_(context) {}

    // The server must be starting, ready or stopping. Marks it stopping (committed), then works in the
    // background until it is gone. `failure`: why, when it was not asked to stop; the person sees its
    // message.
    void finish(std::shared_ptr<Server> server, std::optional<Error> failure, std::string end_reason);
    // For one that the backend says is gone: asks first how it ended, and when.
    void finish_gone(std::shared_ptr<Server> server);
    // Waits until it is neither stopping nor starting; false when the deadline came first.
    awaitable<bool> wait_until_gone(std::shared_ptr<Server> server, Deadline deadline);
    // Removes an object that no row asks for (reconcile). Its devices are booked from this call on until the
    // backend said that it is gone.
    void remove_stray(spawn::Found found);

private:
    awaitable<> work(std::shared_ptr<Server> server, std::optional<Error> failure, std::string end_reason);
    awaitable<Result<void>> mark_stopping(std::shared_ptr<Server> server);
    // `server`: whose people are told when that takes long; nobody's, when null.
    awaitable<> remove_object(spawn::StartPlan plan, spawn::SpawnState state, std::shared_ptr<Server> server);
    awaitable<> remove_stray_object(
        spawn::StartPlan plan, spawn::SpawnState state, std::string object_name, gpu::DeviceLease devices);
    awaitable<> look_and_work(std::shared_ptr<Server> server);
    awaitable<> mark_gone(
        std::shared_ptr<Server> server, std::optional<Error> failure, std::string end_reason);

    void tell_of_end(
        const Server& server, const std::optional<Error>& failure, const std::string& end_reason) const;

    Context& context_;
    std::set<std::string> strays_;  // names of objects that are being removed
};

// Why a server ended that nobody asked to, when the person should be told; nothing when it ended by itself.
std::optional<Error> failure_of(const spawn::Status& ended);
// What the person reads of one that was killed by nobody knows whom; "" of any other.
std::string sentence_of(const spawn::Status& ended);
Error ended_while_starting(const spawn::Status& status);
// The proxy's entry for a server that runs at `target_url`.
Route route_of(const Server& server, std::string target_url, std::string_view base_path);
// Sends it to the proxy; one that the proxy does not take now is sent again by Routes::check().
awaitable<> lead_to(Context& context, std::shared_ptr<Server> server, std::string target_url);
// The plan in the row, enough to find and end what the backend holds.
spawn::StartPlan stored_plan(const Server& server);
// The device nodes of the plan's devices, where the inventory knows them: they are not stored.
void add_device_paths(spawn::StartPlan& plan, const gpu::Inventory& inventory);

}  // namespace berth::hub
