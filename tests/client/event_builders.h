// Events of a training, for tests of what is made of them. All have one time, half a second after
// 1,000,000 s.
#ifndef TRAINYARD_TESTS_CLIENT_EVENT_BUILDERS_H_
#define TRAINYARD_TESTS_CLIENT_EVENT_BUILDERS_H_

#include <cstdint>
#include <string>

#include "trainyard/v1/job.pb.h"

namespace trainyard {

inline v1::JobEvent NewEvent() {
  v1::JobEvent event;
  event.mutable_create_time()->set_seconds(1'000'000);
  event.mutable_create_time()->set_nanos(500'000'000);
  return event;
}

inline void AddMetric(const std::string& name, double value,
                      google::protobuf::RepeatedPtrField<v1::Metric>* metrics) {
  v1::Metric* const metric = metrics->Add();
  metric->set_name(name);
  metric->set_value(value);
}

// The step that makes `steps_done` of them.
inline v1::JobEvent StepEvent(int64_t steps_done, double loss, int32_t run = 0) {
  v1::JobEvent event = NewEvent();
  event.mutable_step()->set_step(steps_done - 1);
  event.mutable_step()->set_loss(loss);
  event.mutable_step()->set_learning_rate(0.5);
  event.mutable_step()->set_gradient_norm(2);
  event.mutable_step()->set_run(run);
  return event;
}

inline v1::JobEvent EpochEvent(int64_t steps_done, double train_loss, int32_t run = 0) {
  v1::JobEvent event = NewEvent();
  event.mutable_epoch()->set_steps_done(steps_done);
  event.mutable_epoch()->set_train_loss(train_loss);
  event.mutable_epoch()->set_learning_rate(0.5);
  event.mutable_epoch()->set_run(run);
  return event;
}

inline v1::JobEvent EpochEvent(int64_t steps_done, double train_loss, double validation_loss) {
  v1::JobEvent event = EpochEvent(steps_done, train_loss);
  AddMetric("loss", validation_loss, event.mutable_epoch()->mutable_validation());
  return event;
}

inline v1::JobEvent RewindEvent(int64_t to_step) {
  v1::JobEvent event = NewEvent();
  event.mutable_rewind()->set_to_step(to_step);
  return event;
}

// A layer with histograms of two bins.
inline v1::LayerRecord Layer(const std::string& name) {
  v1::LayerRecord layer;
  layer.set_name(name);
  layer.set_weight_norm(3);
  layer.set_gradient_norm(0.5);
  layer.set_update_ratio(0.001);
  layer.set_dead_unit_fraction(0.25);
  for (v1::LayerRecord::Histogram* const histogram :
       {layer.mutable_weights(), layer.mutable_gradients()}) {
    histogram->set_min(-1);
    histogram->set_max(3);
    histogram->add_counts(4);
    histogram->add_counts(1);
    histogram->set_sum(2.5);
    histogram->set_sum_of_squares(9);
  }
  return layer;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_CLIENT_EVENT_BUILDERS_H_
