import cv2
import torch
import yaml
from PIL import Image
from sklearn import svm

print(cv2, torch, yaml, Image, svm)
