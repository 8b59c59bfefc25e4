// Bytes that have come and have not been used: a connection's one input buffer, small while the connection
// idles.
#pragma once

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace berth::http {

class ReadBuffer {
public:
    static constexpr std::size_t kSmallest = 4 * 1024;
    static constexpr std::size_t kKept = 16 * 1024;  // more than this is given back between messages

    std::string_view data() const { return {bytes_.data() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    void commit(std::size_t count) {
        end_ += count;
        filled_ = end_ == bytes_.size();  // more was there than fitted, so the next read may take more
    }
    void consume(std::size_t count) {
        begin_ += count;
        if (begin_ == end_) begin_ = end_ = 0;
    }

    // Room for more, growing to at most `largest` bytes in all; invalidates data(). Empty when it is full.
    boost::asio::mutable_buffer space(std::size_t largest) {
        if (filled_ || end_ == bytes_.size()) {
            std::copy_n(bytes_.data() + begin_, end_ - begin_, bytes_.data());
            end_ -= begin_;
            begin_ = 0;
            const auto wanted = std::min(std::max(kSmallest, bytes_.size() * 2), largest);
            if (wanted > bytes_.size()) bytes_.resize(wanted);
            filled_ = false;
        }
        return {bytes_.data() + end_, bytes_.size() - end_};
    }

    void shrink_when_idle() {
        if (!empty() || bytes_.size() <= kKept) return;
        bytes_ = std::vector<char>(kSmallest);
        filled_ = false;
    }

private:
    std::vector<char> bytes_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool filled_ = false;
};

}  // namespace berth::http
