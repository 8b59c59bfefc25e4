// For tests: a directory over a real store in a directory of its own, and a way to run awaitables to their
// end.
#pragma once

#include "async/run_to_end.hpp"
#include "base/random.hpp"
#include "identity/directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace berth::identity::test {

using namespace std::chrono_literals;

inline constexpr Timestamp kNow{1'767'323'045'000'000us};

class DirectoryFixture : public testing::Test {
protected:
    DirectoryFixture()
        : dir_((std::filesystem::temp_directory_path() / ("berth-id-" + random_hex(8))).string()) {
        reopen();
    }
    ~DirectoryFixture() override {
        directory_.reset();
        store_.reset();
        std::filesystem::remove_all(dir_);
    }

    // As after a restart of the hub: everything from the database.
    void reopen() {
        directory_.reset();
        store_.reset();
        store_ = store::Store::open(dir_).value();
        const auto snapshot = store_->load().value();
        ids_ = std::make_unique<store::Ids>(snapshot.next_id);
        directory_ = std::make_unique<Directory>(*store_, *ids_);
        directory_->load(snapshot);
    }

    template <class T>
    T run(awaitable<T> work) {
        return run_to_end(std::move(work));
    }

    UserId make_user(const std::string& name, bool admin = false) {
        return run(directory_->create_user({UserName(name), admin}, kNow)).value();
    }
    // A server row, as hub/ commits it.
    ServerId make_server(UserId user, const std::string& name);

    std::string dir_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<store::Ids> ids_;
    std::unique_ptr<Directory> directory_;
};

}  // namespace berth::identity::test
