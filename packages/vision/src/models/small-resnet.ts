// The residual network for small images (He et al., 2015, section 4.2, with n = 2), wider than there. Leans on resnet.ts.

import { BasicBlock, ResNet, type ResNetOptions } from "./resnet.ts";

/**
 * Three stages of two blocks, of which the second and third halve the image: [N, inChannels, 28, 28] (or other small sizes)
 * to logits [N, classes]. 392,242 parameters by default.
 *
 * @param options as of `ResNet`; default: 10 classes, 1 channel, width 24, a stem for small images
 */
export function smallResNet(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [2, 2, 2], { classes: 10, inChannels: 1, smallImages: true, width: 24, ...options });
}
